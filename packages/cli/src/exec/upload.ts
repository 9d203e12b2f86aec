import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Sprite, SpriteCommand } from '@sprites/sdk';
import type { Cli } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { withProgress } from '../terminal/progress.ts';

/** A local file and where it goes in the sprite. */
export type Upload = { readonly source: string; readonly dest: string };

/** The file appears under its name only when it is complete. `$1` is the destination, `$2` its mode. */
const receive = [
  'set -e',
  'mkdir -p -- "$(dirname -- "$1")"',
  'trap \'rm -f -- "$1.$$.part"\' EXIT',
  'cat > "$1.$$.part"',
  'chmod -- "$2" "$1.$$.part"',
  'mv -f -- "$1.$$.part" "$1"',
].join('\n');

const maxErrorText = 4096;

/** Reads `source:dest`. A destination that ends with a slash gets the source's name. */
export function parseUpload(text: string): Upload {
  const colon = text.lastIndexOf(':');
  const source = text.slice(0, Math.max(colon, 0));
  const dest = text.slice(colon + 1);
  if (source === '' || dest === '')
    throw new UsageError(`--file takes source:dest, not ${JSON.stringify(text)}`);
  return { source, dest: dest.endsWith('/') ? `${dest}${path.basename(source)}` : dest };
}

/** Copies a file with its mode into the sprite; a relative destination is below `dir`. */
export async function upload(
  cli: Cli,
  sprite: Sprite,
  { source, dest }: Upload,
  dir: string | undefined,
): Promise<void> {
  const file = path.resolve(cli.cwd, source);
  const info = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    throw new CliError(`cannot upload ${source}: ${cause.code ?? cause.message}`, { cause });
  });
  if (!info.isFile())
    throw new CliError(`cannot upload ${source}: it is not a file; send directories through tar`);
  const mode = (info.mode & 0o777).toString(8);
  const args = ['-c', receive, 'upload', dest.startsWith('-') ? `./${dest}` : dest, mode];
  const command = sprite.spawn('sh', args, dir === undefined ? {} : { cwd: dir });
  await withProgress(cli, `uploading ${source}`, () => send(command, file, { source, dest }));
}

async function send(command: SpriteCommand, file: string, { source, dest }: Upload): Promise<void> {
  let problem = '';
  command.stdout.resume();
  command.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem = (problem + text).slice(0, maxErrorText);
  });
  // The sending fails when the receiver has ended early; its exit code and words say why.
  const sent = pipeline(createReadStream(file), command.stdin).catch((error: unknown) => error);
  const code = await command.wait();
  const failure = await sent;
  if (code === 0 && failure === undefined) return;
  throw new CliError(`cannot upload ${source} to ${dest}: ${problem.trim() || `exit code ${code}`}`, {
    cause: failure,
  });
}

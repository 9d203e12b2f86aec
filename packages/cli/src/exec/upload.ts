import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Sprite } from '@sprites/sdk';
import type { Cli } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { CopyMeter } from '../copy/copy-meter.ts';
import { uploadFile } from '../copy/upload-file.ts';
import { describeFailure } from '../report.ts';

/** A local file and where it goes in the sprite. */
export type Upload = { readonly source: string; readonly dest: string };

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
    throw new CliError(`cannot upload ${source}: it is not a file; copy directories with \`sprite cp\``);
  const meter = new CopyMeter(cli);
  try {
    await uploadFile(sprite.filesystem(dir), { source: file, dest }, meter);
  } catch (cause) {
    throw new CliError(`cannot upload ${source} to ${dest}: ${describeFailure(cause).message}`, { cause });
  } finally {
    meter.stop();
  }
}

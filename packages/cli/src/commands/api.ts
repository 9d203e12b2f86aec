import { spawn } from 'node:child_process';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Cli, GlobalOptions } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { parseSpriteUrl, resolveConnection } from '../connection.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

/** Defines `sprite api`. */
export function defineApi({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('api', 'call the API with curl, authenticated', [
    'sprite api /sprites',
    'sprite api -s my-sprite /upgrade -X POST',
    'sprite api /v1/host -- --include',
  ])
    .argument(
      '<path>',
      'with -s below /v1/sprites/<sprite>/, else below /v1/; paths with /v1/ are used as they are',
    )
    .argument('[curl-options...]', 'given to curl as they are; a -- before them is dropped')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (path: string, args: string[]) =>
      exit(await callApi(cli, allOptions(command), path, args)),
    );
  program.addCommand(command);
}

async function callApi(
  cli: Cli,
  options: GlobalOptions,
  path: string,
  args: readonly string[],
): Promise<number> {
  const { environment, cwd } = cli;
  const { apiUrl, token } = await resolveConnection({ environment, cwd, org: options.org });
  const { spriteUrl } = environment;
  const sprite = options.sprite ?? (spriteUrl === undefined ? undefined : parseSpriteUrl(spriteUrl).sprite);
  const curlArgs = args[0] === '--' ? args.slice(1) : args;
  return runCurl([...curlArgs, '--', `${apiUrl}${apiPath(path, sprite)}`], token);
}

/** The path on the server of what was typed. */
export function apiPath(path: string, sprite: string | undefined): string {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  if (/^\/v1(\/|$)/.test(absolute)) return absolute;
  return sprite === undefined ? `/v1${absolute}` : `/v1/sprites/${encodeURIComponent(sprite)}${absolute}`;
}

/** Runs curl; the token reaches it through an open file without a name, so that it is in no process list. */
async function runCurl(args: readonly string[], token: string): Promise<number> {
  await using config = await openNamelessFile(
    `header = "Authorization: Bearer ${token.replace(/[\\"]/g, '\\$&')}"\n`,
  );
  const child = spawn('curl', ['--silent', '--show-error', '--config', '/dev/fd/3', ...args], {
    stdio: ['inherit', 'inherit', 'inherit', config.fd],
  });
  return await new Promise((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'ENOENT'
          ? new CliError('curl is not installed; `sprite api` needs it', { cause })
          : cause,
      ),
    );
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Opens a file that only this process has; its offset stays at the start, where curl begins to read. */
async function openNamelessFile(content: string): Promise<FileHandle> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sprite-'));
  try {
    const file = await open(path.join(folder, 'curl'), 'wx+', 0o600);
    await file.write(content, 0);
    return file;
  } finally {
    await rm(folder, { recursive: true });
  }
}

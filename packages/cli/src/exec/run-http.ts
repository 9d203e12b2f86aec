import { ExecError, type Sprite } from '@sprites/sdk';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import type { ExecCommand } from '../commands/exec.ts';
import { withProgress } from '../terminal/progress.ts';
import { flush } from './output.ts';

/** The whole input and each whole output are held in memory. */
const maxBytes = 64 * 1024 * 1024;

/** Runs a command by one HTTP request: input is sent first, output shown at the end. Resolves with the exit code. */
export async function runHttp(cli: Cli, sprite: Sprite, command: ExecCommand): Promise<number> {
  const input = cli.stdin.isTTY === true ? undefined : await readInput(cli);
  const options = {
    env: command.env,
    encoding: 'buffer',
    maxBuffer: maxBytes,
    ...(command.dir === undefined ? {} : { cwd: command.dir }),
    ...(input === undefined ? {} : { input }),
  } as const;
  const running = sprite.execFileHTTP(command.file, command.args, options).catch((error: unknown) => {
    if (error instanceof ExecError) return error.result;
    throw error;
  });
  const { stdout, stderr, exitCode } = await withProgress(cli, `running ${command.file}`, () => running);
  cli.stdout.write(stdout);
  cli.stderr.write(stderr);
  await Promise.all([flush(cli.stdout), flush(cli.stderr)]);
  return exitCode;
}

async function readInput({ stdin }: Cli): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) {
      throw new CliError(`stdin has more than ${maxBytes} bytes; leave out --http-post to stream it`);
    }
  }
  return Buffer.concat(chunks);
}

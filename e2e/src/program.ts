import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { bigOutputBytes, bigOutputScript } from './big-output.ts';
import type { ServerUnderTest } from './server.ts';

/** Where what the tests fetch is kept between runs, outside the tree. */
export const cacheFolder = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'sprites-e2e',
);

/** Runs a program to its end; a failure is an error with all it said. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, args, {
      maxBuffer: 16 * 1024 * 1024,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    return stdout;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    throw new Error(`${[file, ...args].join(' ')} failed:\n${said}`, { cause: error });
  }
}

/** The environment from which the conformance programs learn what to test. */
export function programEnvironment(server: ServerUnderTest, spriteName: string): Record<string, string> {
  return {
    SPRITES_E2E_URL: server.baseURL,
    SPRITES_E2E_TOKEN: server.token,
    SPRITES_E2E_OTHER_TOKEN: server.otherToken,
    SPRITES_E2E_SPRITE: spriteName,
    SPRITES_E2E_BIG_SCRIPT: bigOutputScript,
    SPRITES_E2E_BIG_BYTES: String(bigOutputBytes),
  };
}

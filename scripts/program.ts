import { spawn } from 'node:child_process';
import { root } from './tree.ts';

export type ProgramOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/** Runs a program on this terminal, without input, and resolves to its exit code; null when a signal ended it. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { cwd = root, env = process.env }: ProgramOptions = {},
): Promise<number | null> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

/** What a script does at its top: the error's text and exit code 1 when `main` fails. */
export async function runScript(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

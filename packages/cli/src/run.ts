import { CommanderError } from 'commander';
import { translateArgv } from './argv.ts';
import type { Cli } from './cli.ts';
import { flush } from './exec/output.ts';
import { createProgram } from './program.ts';
import { describeFailure } from './report.ts';

const usageExitCode = 2;

/** Runs one command line and resolves with the exit code, when all output has left the process. */
export async function run(cli: Cli, argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram(cli, (code) => {
    exitCode = code;
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...translateArgv(argv)], { from: 'user' });
  } catch (error) {
    exitCode = fail(cli, error);
  }
  await Promise.all([flush(cli.stdout), flush(cli.stderr)]);
  return exitCode;
}

function fail(cli: Cli, error: unknown): number {
  // commander has written its message already; help and version come this way, too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  const { message, exitCode } = describeFailure(error);
  cli.stderr.write(`sprite: ${message}\n`);
  return exitCode;
}

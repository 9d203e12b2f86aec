import { SpriteError } from '@sprites/contract/errors';
import { CommanderError } from 'commander';
import { Api, EnvError } from './api.ts';
import { readSocketPath } from './config.ts';
import { createProgram } from './program.ts';

const usageExitCode = 2;

// a reader that has had enough, such as head, is no failure
process.stdout.on('error', () => process.exit(0));
void main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const program = createProgram(new Api(readSocketPath()), (code) => {
    process.exitCode = code;
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    process.exitCode = fail(error);
  }
}

function fail(error: unknown): number {
  // commander has written its message already; help comes this way, too
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  process.stderr.write(`sprite-env: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof SpriteError) return usageExitCode;
  return error instanceof EnvError ? error.exitCode : 1;
}

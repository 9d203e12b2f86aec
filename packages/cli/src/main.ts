import type { Cli } from './cli.ts';
import { readEnvironment } from './config/environment.ts';
import { createStyle } from './terminal/style.ts';
import { version } from './version.ts';

/** What a shell reports when the reader of a pipe has gone: 128 + SIGPIPE. */
const brokenPipeExitCode = 141;

process.exitCode = await main(process.argv.slice(2));
// Open handles, such as a stdin nobody writes to, must not keep a finished command alive.
process.exit();

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`sprite ${version}\n`);
    return 0;
  }
  let broken = false;
  process.stdout.on('error', () => {
    broken = true;
  });
  process.stderr.on('error', () => undefined);
  const { run } = await import('./run.ts');
  const exitCode = await run(createCli(), argv);
  return broken && exitCode === 0 ? brokenPipeExitCode : exitCode;
}

function createCli(): Cli {
  const environment = readEnvironment();
  const { stdin, stdout, stderr } = process;
  return {
    environment,
    cwd: process.cwd(),
    stdin,
    stdout,
    stderr,
    style: createStyle(stdout, environment.noColor),
  };
}

import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { allOptions, createServerCommand } from './command-host.ts';
import { showOutput } from './service-stream.ts';

type LogsOptions = GlobalOptions & {
  readonly lines?: string;
  readonly follow?: boolean;
  readonly duration?: string;
};

/** The longest that a server follows a log in one request. */
const longestFollow = '24h';

/** Makes `sprite services logs`. */
export function createLogsCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('logs', 'show what a service wrote', [
    'sprite services logs web --lines 100',
    'sprite services logs web --follow',
  ])
    .argument('<service>', 'name')
    .option('-n, --lines <count>', 'only the last so many lines')
    .option('-f, --follow', 'go on with what it writes from now on; keeps the sprite awake')
    .option('--duration <time>', 'how long to follow')
    .action((name: string) => showLogs(cli, allOptions(command), name));
  return command;
}

async function showLogs(cli: Cli, options: LogsOptions, name: string): Promise<void> {
  const sprite = await openSprite(cli, options);
  const duration = options.duration ?? (options.follow === true ? longestFollow : undefined);
  const lines = options.lines === undefined ? undefined : toCount(options.lines);
  const stream = await withProgress(cli, `asking for the log of ${name}`, () =>
    sprite.getServiceLogs(name, { lines, duration }),
  );
  for await (const event of stream) {
    if (!(await showOutput(cli, event))) break;
    if (event.type === 'error') note(cli, cli.style.bad(`✗ ${printable(event.data ?? '')}`));
  }
}

function toCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new UsageError(`bad --lines ${text}: must be a whole number`);
}

import type { SpriteEvent } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { printable } from '../terminal/style.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { showEgress } from './policy.ts';

type EventsOptions = GlobalOptions & {
  readonly follow?: boolean;
  readonly since?: string;
  readonly limit?: string;
  readonly egress?: boolean;
  readonly json?: boolean;
};

/** Defines `sprite events`. */
export function defineEvents({ program, cli }: CommandHost): void {
  const command = createServerCommand('events', 'show what happened to a sprite and why; never wakes it', [
    'sprite events my-sprite',
    'sprite events -f -s my-sprite',
    'sprite events --since 2026-07-20T10:00:00Z --json my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('-f, --follow', 'stay and show what happens')
    .option('--since <id|time>', 'only what came after the event of this id, or from this RFC 3339 time on')
    .option('--limit <count>', 'most past events, the newest ones; default 100')
    .option('--egress', 'show what it asked for on the network instead, as `sprite policy log` does')
    .option('--json', 'print one JSON object a line')
    .action((name: string | undefined) => {
      const options = allOptions<EventsOptions>(command);
      return options.egress === true ? showEgress(cli, options, name) : showEvents(cli, options, name);
    });
  program.addCommand(command);
}

async function showEvents(cli: Cli, options: EventsOptions, argument: string | undefined): Promise<void> {
  const since = parseSince(options.since);
  const limit = parseLimit(options.limit);
  const sprite = await openSprite(cli, options, argument);
  const stream = await sprite.events({
    follow: options.follow === true,
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit }),
  });
  let count = 0;
  for await (const event of stream) {
    count++;
    print(cli, options.json === true ? JSON.stringify(event) : renderEvent(cli, event));
  }
  if (count === 0) note(cli, 'nothing happened');
}

function renderEvent({ style }: Cli, { time, type, message }: SpriteEvent): string {
  const isBad = ['crashed', 'wake_failed', 'restore_failed', 'warning'].includes(type);
  const colour = isBad ? style.bad : style.bold;
  return `${style.dim(time.toISOString())}  ${colour(printable(type).padEnd(11))}  ${printable(message)}`;
}

function parseSince(text: string | undefined): number | Date | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new UsageError(`--since ${text} is no id of an event and no time`);
  return time;
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text);
  throw new UsageError(`--limit ${text} is no whole number above 0`);
}

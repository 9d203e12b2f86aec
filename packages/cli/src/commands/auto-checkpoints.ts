import type { AutoCheckpointOptions, AutoCheckpoints } from '@sprites/sdk';
import { type Cli, type GlobalOptions, print, printJson } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, createServerCommand } from './command-host.ts';

type AutoOptions = GlobalOptions & {
  readonly every?: string;
  readonly keepHourly?: string;
  readonly keepDaily?: string;
  readonly json?: boolean;
};

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Makes `sprite checkpoint auto`. */
export function createAutoCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('auto', 'show or set when a sprite is saved by itself', [
    'sprite checkpoint auto',
    'sprite checkpoint auto --every 10m --keep-hourly 48',
    'sprite checkpoint auto --every off',
    'sprite checkpoint auto --every server',
  ])
    .option(
      '--every <time>',
      'time between two while files change, such as 30m or 2h; off; or server, its setting',
    )
    .option('--keep-hourly <n>', 'of how many hours the newest stays, or server')
    .option('--keep-daily <n>', 'of how many days the newest stays, or server')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nSee them with: sprite checkpoint list --include-auto')
    .action(() => setAuto(cli, allOptions(command)));
  return command;
}

async function setAuto(cli: Cli, options: AutoOptions): Promise<void> {
  const wish: AutoCheckpointOptions = {
    ...(options.every === undefined ? {} : { everyS: toSeconds(options.every) }),
    ...(options.keepHourly === undefined ? {} : { keepHourly: toCount('--keep-hourly', options.keepHourly) }),
    ...(options.keepDaily === undefined ? {} : { keepDaily: toCount('--keep-daily', options.keepDaily) }),
  };
  const sprite = await openSprite(cli, options);
  const { info } = await withProgress(cli, `asking for ${sprite.name}`, () =>
    Object.keys(wish).length === 0
      ? sprite.client.getSprite(sprite.name)
      : sprite.update({ autoCheckpoints: wish }),
  );
  if (info === undefined) return;
  if (options.json === true) printJson(cli, info.autoCheckpoints);
  else print(cli, describe(info.autoCheckpoints));
}

function describe({ everyS, keepHourly, keepDaily }: AutoCheckpoints): string {
  if (everyS === 'off') return 'off';
  const [unit = 's', size = 1] =
    Object.entries(units).findLast(([, seconds]) => everyS % seconds === 0) ?? [];
  return `every ${everyS / size}${unit} while files change; the newest of ${keepHourly} hours and ${keepDaily} days stay`;
}

function toSeconds(text: string): number | 'off' | null {
  if (text === 'off') return 'off';
  if (text === 'server') return null;
  const [, count, unit = 's'] = /^(\d{1,8})([smhd]?)$/.exec(text) ?? [];
  if (count === undefined)
    throw new UsageError(`--every ${JSON.stringify(text)} is not a time such as 30m, off or server`);
  return Number(count) * (units[unit] ?? 1);
}

function toCount(option: string, text: string): number | null {
  if (text === 'server') return null;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new UsageError(`${option} ${JSON.stringify(text)} is not a number or server`);
}

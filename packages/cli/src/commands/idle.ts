import type { IdleSettings, Sprite } from '@sprites/sdk';
import { type Cli, type GlobalOptions, print, printJson } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type IdleOptions = GlobalOptions & {
  readonly warmAfter?: string;
  readonly coldAfter?: string;
  readonly json?: boolean;
};

/** Defines `sprite idle`. */
export function defineIdle({ program, cli }: CommandHost): void {
  const command = createServerCommand('idle', 'show or set how long a sprite may be idle', [
    'sprite idle my-sprite',
    'sprite idle --warm-after 300 --cold-after never my-sprite',
    'sprite idle --warm-after default -s my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--warm-after <seconds>', 'idle seconds until it is frozen in memory; or never, or default')
    .option('--cold-after <seconds>', 'seconds in memory until it is stopped; or never, or default')
    .option('--json', 'print JSON')
    .action((name: string | undefined) => idle(cli, allOptions(command), name));
  program.addCommand(command);
}

async function idle(cli: Cli, options: IdleOptions, argument: string | undefined): Promise<void> {
  const settings: IdleSettings = {
    ...(options.warmAfter === undefined
      ? {}
      : { warmAfterS: parseWindow('--warm-after', options.warmAfter) }),
    ...(options.coldAfter === undefined
      ? {}
      : { coldAfterS: parseWindow('--cold-after', options.coldAfter) }),
  };
  const handle = await openSprite(cli, options, argument);
  const { info } = await withProgress(
    cli,
    `asking for ${handle.name}`,
    (): Promise<Sprite> =>
      Object.keys(settings).length === 0
        ? handle.client.getSprite(handle.name)
        : handle.update({ idle: settings }),
  );
  if (info === undefined) return;
  if (options.json === true) printJson(cli, info.idle);
  else print(cli, describeIdle(info.idle));
}

/** Idle windows in words. */
export function describeIdle({ warmAfterS, coldAfterS }: NonNullable<Sprite['info']>['idle']): string {
  const warm = warmAfterS === 'never' ? 'never sleeps' : `warm after ${warmAfterS} s idle`;
  return `${warm}, ${coldAfterS === 'never' ? 'never cold' : `cold after ${coldAfterS} s warm`}`;
}

function parseWindow(flag: string, text: string): number | 'never' | null {
  if (text === 'default') return null;
  if (text === 'never') return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`${flag} ${text} is no number of seconds; write one, never or default`);
}

import { type Cli, type GlobalOptions, note, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type SleepOptions = GlobalOptions & { readonly cold?: boolean; readonly json?: boolean };

/** Defines `sprite sleep`. */
export function defineSleep({ program, cli }: CommandHost): void {
  const command = createServerCommand('sleep', 'put a sprite to sleep now, also a busy one', [
    'sprite sleep my-sprite',
    'sprite sleep --cold -s my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--cold', 'end its programs; without it they stand still in memory and go on at the next use')
    .option('--json', 'print the sprite as JSON')
    .addHelpText('after', '\nIts connections are closed. The next command or request wakes it.')
    .action((name: string | undefined) => sleep(cli, allOptions(command), name));
  program.addCommand(command);
}

async function sleep(cli: Cli, options: SleepOptions, argument: string | undefined): Promise<void> {
  const sprite = await openSprite(cli, options, argument);
  const to = options.cold === true ? 'cold' : 'warm';
  const { info } = await withProgress(cli, `putting ${sprite.name} to sleep`, () => sprite.sleep({ to }));
  if (options.json === true) printJson(cli, info);
  else note(cli, `${cli.style.good('✓')} ${sprite.name} is ${info?.status}`);
}

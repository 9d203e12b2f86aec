import { type Cli, type GlobalOptions, note, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type WakeOptions = GlobalOptions & { readonly json?: boolean };

/** Defines `sprite wake`. */
export function defineWake({ program, cli }: CommandHost): void {
  const command = createServerCommand('wake', 'wake a sprite ahead of its use', ['sprite wake my-sprite'])
    .argument('[name]', 'sprite')
    .option('--json', 'print the sprite as JSON')
    .action((name: string | undefined) => wake(cli, allOptions(command), name));
  program.addCommand(command);
}

async function wake(cli: Cli, options: WakeOptions, argument: string | undefined): Promise<void> {
  const sprite = await openSprite(cli, options, argument);
  const { info } = await withProgress(cli, `waking ${sprite.name}`, () => sprite.wake());
  if (options.json === true) printJson(cli, info);
  else note(cli, `${cli.style.good('✓')} ${sprite.name} is running`);
}

import { type Cli, type GlobalOptions, note, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type RestartOptions = GlobalOptions & { readonly json?: boolean };

/** Defines `sprite restart`. */
export function defineRestart({ program, cli }: CommandHost): void {
  const command = createServerCommand('restart', 'stop a sprite’s machine and start a new one; files stay', [
    'sprite restart my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--json', 'print the answer as JSON')
    .action((name: string | undefined) => restart(cli, allOptions(command), name));
  program.addCommand(command);
}

async function restart(cli: Cli, options: RestartOptions, argument: string | undefined): Promise<void> {
  const sprite = await openSprite(cli, options, argument);
  const result = await withProgress(cli, `restarting ${sprite.name}`, () => sprite.restart());
  if (options.json === true) printJson(cli, result);
  else note(cli, `${cli.style.good('✓')} restarting ${sprite.name}`);
}

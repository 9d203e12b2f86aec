import type { Sprite } from '@sprites/sdk';
import { type Cli, type GlobalOptions, isInteractive } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { runTerminal, terminalSize } from '../exec/run-terminal.ts';
import { pickShell } from '../exec/shell.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ConsoleOptions = GlobalOptions & { readonly portForward?: boolean };

/** Defines `sprite console`. */
export function defineConsole({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('console', 'open a shell in a sprite', [
    'sprite console',
    'sprite console my-sprite',
    'sprite c -o acme -s build-box',
  ])
    .alias('c')
    .argument('[name]', 'sprite')
    .option('--no-port-forward', 'do not make ports that programs open reachable at 127.0.0.1')
    .addHelpText(
      'after',
      '\nUses your kind of shell (bash, zsh, fish, tcsh, ksh) if the sprite has it, else bash, zsh or sh.' +
        '\nCtrl+\\ detaches: the shell runs on, `sprite attach` brings it back.',
    )
    .action(async (name: string | undefined) => {
      const options = allOptions<ConsoleOptions>(command);
      if (!isInteractive(cli)) {
        throw new UsageError('a console needs a terminal; use `sprite exec` to run a command without one');
      }
      const sprite = await openSprite(cli, options, name);
      exit(await openConsole(cli, sprite, options.portForward !== false));
    });
  program.addCommand(command);
}

/** Opens a login shell in the sprite and connects it to our terminal; `forwards` makes ports it opens reachable here. */
export async function openConsole(cli: Cli, sprite: Sprite, forwards = true): Promise<number> {
  const waiting = `waking ${sprite.name}`;
  const shell = await withProgress(cli, waiting, () => pickShell(cli, sprite));
  const command = sprite.spawn(shell.path, ['-l'], {
    env: { ...cli.environment.terminal, TERM: shell.term },
    tty: true,
    ...terminalSize(cli),
  });
  return runTerminal(cli, command, {
    spriteName: sprite.name,
    waiting,
    ...(forwards ? { forward: sprite } : {}),
  });
}

import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { openSprite } from '../target.ts';
import { checkId, chooseCheckpoint, follow } from './choose-checkpoint.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

/** Defines `sprite restore`. */
export function defineRestore({ program, cli }: CommandHost): void {
  program.addCommand(createRestoreCommand(cli));
}

/** Makes the command; `sprite checkpoint restore` is the same one. */
export function createRestoreCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('restore', 'bring back the files of a checkpoint', [
    'sprite restore v3',
    'sprite restore -s my-sprite auto-20260720t100000-123',
  ])
    .argument('[checkpoint]', 'id; chosen from a list when left out')
    .addHelpText(
      'after',
      '\nCommands in the sprite end. The present files are saved first, as an automatic checkpoint that is\n' +
        'named on the way; if the sprite does not come up with the old files, they are put back.',
    )
    .action((id: string | undefined) => restore(cli, allOptions(command), id));
  return command;
}

async function restore(cli: Cli, options: GlobalOptions, argument: string | undefined): Promise<void> {
  const sprite = await openSprite(cli, options);
  const id = checkId(argument) ?? (await chooseCheckpoint(cli, sprite, 'Restore which checkpoint?'));
  await follow(cli, await sprite.restoreCheckpoint(id));
  note(cli, `${cli.style.good('✓')} restored ${id} of ${sprite.name}`);
}

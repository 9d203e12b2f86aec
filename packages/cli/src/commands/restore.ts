import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { printable } from '../terminal/style.ts';
import { checkId, chooseCheckpoint, follow } from './choose-checkpoint.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

/** Defines `sprite restore`. */
export function defineRestore({ program, cli }: CommandHost): void {
  program.addCommand(createRestoreCommand(cli));
}

type RestoreOptions = GlobalOptions & { readonly remove?: boolean };

/** Makes the command; `sprite checkpoint restore` is the same one. */
export function createRestoreCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('restore', 'bring back the files of a checkpoint, all or some', [
    'sprite restore v3',
    'sprite restore -s my-sprite auto-20260720t100000-123',
    'sprite restore v3 -- /home/sprite/notes /etc/hosts',
  ])
    .argument('[checkpoint]', 'id; chosen from a list when left out')
    .argument('[paths...]', 'only these; each is made exactly as it was, while the sprite runs')
    .option('--remove', 'remove those paths that were not there then, instead of refusing them')
    .addHelpText(
      'after',
      '\nWithout paths, commands in the sprite end. The present files are saved first, as an automatic checkpoint that\n' +
        'is named on the way; if the sprite does not come up with the old files, they are put back.',
    )
    .action((id: string | undefined, paths: readonly string[]) =>
      restore(cli, allOptions(command), id, paths),
    );
  return command;
}

async function restore(
  cli: Cli,
  options: RestoreOptions,
  argument: string | undefined,
  paths: readonly string[],
): Promise<void> {
  const { remove } = options;
  if (remove === true && paths.length === 0) throw new UsageError('--remove goes with paths only');
  for (const path of paths) {
    if (!path.startsWith('/')) throw new UsageError(`${JSON.stringify(path)} is not an absolute path`);
  }
  const sprite = await openSprite(cli, options);
  const id = checkId(argument) ?? (await chooseCheckpoint(cli, sprite, 'Restore which checkpoint?'));
  if (paths.length === 0) {
    await follow(cli, await sprite.restoreCheckpoint(id));
    note(cli, `${cli.style.good('✓')} restored ${id} of ${sprite.name}`);
    return;
  }
  const { data = '' } = await follow(
    cli,
    await sprite.restorePaths(id, paths, remove === undefined ? {} : { remove }),
  );
  note(cli, `${cli.style.good('✓')} ${printable(data)} from ${id} of ${sprite.name}`);
}

import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ListOptions = GlobalOptions & { readonly json?: boolean };

/** Defines `sprite tasks` with `list`. */
export function defineTasks({ program, cli }: CommandHost): void {
  const command = createServerCommand('tasks', 'what programs in a sprite keep it awake for', [
    'sprite tasks',
    'sprite tasks list -s my-sprite --json',
  ])
    .alias('task')
    .addHelpText('after', '\nPrograms in the sprite make tasks: sprite-env tasks create build --expire 30m');
  command.addCommand(createListCommand(cli), { isDefault: true });
  program.addCommand(command);
}

function createListCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('list', 'list tasks; never wakes the sprite', ['sprite tasks list'])
    .alias('ls')
    .option('--json', 'print JSON')
    .action(() => listTasks(cli, allOptions(command)));
  return command;
}

async function listTasks(cli: Cli, options: ListOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const tasks = await withProgress(cli, 'listing tasks', () => sprite.listTasks());
  if (options.json === true) printJson(cli, tasks);
  else if (tasks.length === 0) note(cli, `${sprite.name} has no tasks`);
  else {
    const { style } = cli;
    const rows = tasks.map(({ name, startedAt, expiresAt }) => [
      style.bold(printable(name)),
      formatAge(startedAt, Date.now()),
      expiresAt.toISOString(),
    ]);
    print(cli, formatTable(['NAME', 'STARTED', 'EXPIRES'].map(style.dim), rows));
  }
}

import { type Cli, type GlobalOptions, isInteractive, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { removeProject, writeProject } from '../config/project-file.ts';
import { openServer, pickSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type UseOptions = GlobalOptions & { readonly unset?: boolean };

/** Defines `sprite use`. */
export function defineUse({ program, cli }: CommandHost): void {
  const command = createServerCommand('use', 'choose the sprite of this directory', [
    'sprite use my-sprite',
    'sprite use -o acme build-box',
    'sprite use --unset',
  ])
    .argument('[name]', 'sprite; chosen from a list when left out')
    .option('--unset', 'remove the .sprite file from this directory')
    .addHelpText('after', '\nWrites a .sprite file; commands in this directory and below then need no -s.')
    .action((name: string | undefined) => use(cli, allOptions(command), name));
  program.addCommand(command);
}

async function use(cli: Cli, options: UseOptions, argument: string | undefined): Promise<void> {
  if (options.unset === true) {
    const removed = await removeProject(cli.cwd);
    note(cli, removed ? 'removed .sprite' : 'there is no .sprite file in this directory');
    return;
  }
  const { client, connection } = await openServer(cli, options);
  const name = argument ?? options.sprite ?? (await pick());
  await withProgress(cli, `asking for ${name}`, () => client.getSprite(name));
  await writeProject(cli.cwd, { organization: connection.org || undefined, sprite: name });
  note(cli, `${cli.style.good('✓')} this directory uses ${name}`);

  function pick(): Promise<string> {
    if (isInteractive(cli)) return pickSprite(cli, client, 'Which sprite should this directory use?');
    throw new UsageError('no name given; use `sprite use <name>`');
  }
}

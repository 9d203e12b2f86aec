import { type Cli, type GlobalOptions, isInteractive, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { chooseSpriteName, openServer } from '../target.ts';
import { askYesNo } from '../terminal/ask.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type DestroyOptions = GlobalOptions & { readonly force?: boolean };

/** Defines `sprite destroy`. */
export function defineDestroy({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('destroy', 'delete a sprite with everything in it', [
    'sprite destroy my-sprite',
    'sprite destroy --force my-sprite',
    'sprite destroy -o acme -s build-box',
  ])
    .argument('[name]', 'sprite to delete')
    .option('--force', 'do not ask')
    .action(async (name: string | undefined) => exit(await destroy(cli, allOptions(command), name)));
  program.addCommand(command);
}

async function destroy(cli: Cli, options: DestroyOptions, argument: string | undefined): Promise<number> {
  const server = await openServer(cli, options);
  const name = await chooseSpriteName(cli, server, options, argument);
  if (options.force !== true) {
    if (!isInteractive(cli)) {
      throw new UsageError(`nobody to ask whether to delete ${name}; use --force to delete it unasked`);
    }
    // A name with a typo is better told before the question than after it.
    await server.client.getSprite(name);
    if (!(await askYesNo(cli, `Delete ${name} and everything in it? This cannot be undone.`))) return 1;
  }
  await withProgress(cli, `deleting ${name}`, () => server.client.deleteSprite(name));
  note(cli, `${cli.style.good('✓')} deleted ${name}`);
  return 0;
}

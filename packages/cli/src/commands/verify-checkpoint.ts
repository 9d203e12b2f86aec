import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { openSprite } from '../target.ts';
import { checkId, follow } from './choose-checkpoint.ts';
import { allOptions, createServerCommand } from './command-host.ts';

/** Makes `sprite checkpoint verify`. */
export function createVerifyCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand(
    'verify',
    'read checkpoints and compare them with the checksums made when they were new',
    ['sprite checkpoint verify', 'sprite checkpoint verify v3 v4'],
  )
    .argument('[checkpoint...]', 'ids; all, automatic ones too, when left out')
    .addHelpText('after', '\nEnds with 1 and names those that are damaged. Never wakes the sprite.')
    .action((ids: readonly string[]) => verify(cli, allOptions(command), ids));
  return command;
}

async function verify(cli: Cli, options: GlobalOptions, args: readonly string[]): Promise<void> {
  const ids = args.flatMap((id) => checkId(id) ?? []);
  const sprite = await openSprite(cli, options);
  const { data = '' } = await follow(cli, await sprite.verifyCheckpoints(ids));
  note(cli, `${cli.style.good('✓')} ${data}`);
}

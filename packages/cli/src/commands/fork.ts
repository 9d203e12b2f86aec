import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { askSpriteName } from '../terminal/ask-sprite-name.ts';
import { withProgress } from '../terminal/progress.ts';
import { checkId } from './choose-checkpoint.ts';
import { allOptions, type CommandHost, collect, createServerCommand } from './command-host.ts';

type ForkOptions = GlobalOptions & {
  readonly from?: string;
  readonly label?: readonly string[];
  readonly json?: boolean;
};

/** Defines `sprite fork`. */
export function defineFork({ program, cli }: CommandHost): void {
  const command = createServerCommand('fork', 'make a new sprite with a copy of the files of another', [
    'sprite fork my-copy',
    'sprite fork -s my-sprite --from v3 my-copy',
    'sprite fork --label trial my-copy && sprite console -s my-copy',
  ])
    .argument('[new-name]', 'name of the new sprite; asked for when left out')
    .option('--from <checkpoint>', 'checkpoint to copy; default is the live files')
    .option(
      '--label <label>',
      'label to attach instead of those of the other sprite; may be repeated',
      collect,
    )
    .option('--json', 'print the new sprite as JSON')
    .addHelpText('after', '\nThe sprite that is copied, chosen by -s as everywhere, goes on undisturbed.')
    .action((name: string | undefined) => fork(cli, allOptions(command), name));
  program.addCommand(command);
}

async function fork(cli: Cli, options: ForkOptions, argument: string | undefined): Promise<void> {
  const origin = await openSprite(cli, options);
  const checkpoint = checkId(options.from);
  const name = argument ?? (await askSpriteName(cli, 'sprite fork <new-name>'));
  if (name === origin.name) throw new UsageError(`the copy of ${name} needs another name`);
  const sprite = await withProgress(cli, `copying ${origin.name}`, () =>
    origin.fork(name, {
      ...(checkpoint === undefined ? {} : { checkpoint }),
      ...(options.label === undefined ? {} : { labels: options.label }),
    }),
  );
  if (options.json === true) {
    printJson(cli, sprite.info);
    return;
  }
  note(
    cli,
    `${cli.style.good('✓')} created ${sprite.name} from ${checkpoint ?? 'the live files'} of ${origin.name}`,
  );
  print(cli, sprite.url ?? sprite.name);
}

import { type Cli, type GlobalOptions, isInteractive, note, print, printJson } from '../cli.ts';
import { openServer } from '../target.ts';
import { askSpriteName } from '../terminal/ask-sprite-name.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, collect, createServerCommand } from './command-host.ts';

type CreateOptions = GlobalOptions & {
  readonly skipConsole?: boolean;
  readonly label?: readonly string[];
  readonly image?: string;
  readonly json?: boolean;
};

/** Defines `sprite create`. */
export function defineCreate({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('create', 'create a sprite and open a console in it', [
    'sprite create my-sprite',
    'sprite create --skip-console --label ci --label team-a my-sprite',
    'sprite create -o acme build-box',
  ])
    .argument('[name]', 'name: lower-case letters, digits and hyphens; asked for when left out')
    .option('--skip-console', 'do not open a console afterwards')
    .option('--label <label>', 'label to attach; may be repeated', collect)
    .option('--image <name>', 'base image; default is the server’s')
    .option('--json', 'print the sprite as JSON; opens no console')
    .action(async (name: string | undefined) => exit(await create(cli, allOptions(command), name)));
  program.addCommand(command);
}

async function create(cli: Cli, options: CreateOptions, argument: string | undefined): Promise<number> {
  const { client } = await openServer(cli, options);
  const name = argument ?? options.sprite ?? (await askSpriteName(cli, 'sprite create <name>'));
  const sprite = await withProgress(cli, `creating ${name}`, () =>
    client.createSprite(name, {
      ...(options.label === undefined ? {} : { labels: options.label }),
      ...(options.image === undefined ? {} : { image: options.image }),
    }),
  );
  if (options.json === true) {
    printJson(cli, sprite.info);
    return 0;
  }
  note(cli, `${cli.style.good('✓')} created ${sprite.name}`);
  if (options.skipConsole === true || !isInteractive(cli) || cli.stdout.isTTY !== true) {
    print(cli, sprite.url ?? sprite.name);
    return 0;
  }
  const { openConsole } = await import('./console.ts');
  return openConsole(cli, sprite);
}

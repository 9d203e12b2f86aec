import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type UrlOptions = GlobalOptions & { readonly json?: boolean };
type UpdateOptions = GlobalOptions & { readonly auth?: string };

const modes = ['sprite', 'public'];

/** Defines `sprite url` and `sprite url update`. */
export function defineUrl({ program, cli }: CommandHost): void {
  const command = createServerCommand('url', 'print the URL of a sprite', [
    'sprite url my-sprite',
    'curl -H "Authorization: Bearer $SPRITE_TOKEN" "$(sprite url my-sprite)"',
    'sprite url update --auth public -s my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nIt leads to the service with an HTTP port, else to port 8080, and wakes the sprite. With auth `sprite` it takes a token\nor a browser that signs in; with `public` it is open to everybody who can reach the server.',
    )
    .action((name: string | undefined) => showUrl(cli, allOptions(command), name));
  const update = createServerCommand('update', 'choose who may open the URL', [
    'sprite url update --auth public my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--auth <mode>', `${modes.join(' or ')}`)
    .action((name: string | undefined) => updateUrl(cli, allOptions(update), name));
  command.addCommand(update);
  program.addCommand(command);
}

type ConfigOptions = GlobalOptions & { readonly urlAuth?: string };

/** Defines `sprite config update`. */
export function defineConfig({ program, cli }: CommandHost): void {
  const command = createServerCommand('config', 'change the settings of a sprite', [
    'sprite config update --url-auth public my-sprite',
  ]);
  const update = createServerCommand('update', 'change the settings of a sprite', [
    'sprite config update --url-auth public my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--url-auth <mode>', `who may open the URL: ${modes.join(' or ')}`)
    .action((name: string | undefined) => {
      const { urlAuth, ...options } = allOptions<ConfigOptions>(update);
      return updateUrl(
        cli,
        { ...options, ...(urlAuth === undefined ? {} : { auth: urlAuth }) },
        name,
        '--url-auth',
      );
    });
  command.addCommand(update);
  program.addCommand(command);
}

async function showUrl(cli: Cli, options: UrlOptions, argument: string | undefined): Promise<void> {
  const handle = await openSprite(cli, options, argument);
  const { info } = await withProgress(cli, `asking for ${handle.name}`, () =>
    handle.client.getSprite(handle.name),
  );
  if (info === undefined) return;
  const auth = info.urlSettings.auth ?? 'sprite';
  if (options.json === true) printJson(cli, { url: info.url, auth });
  else print(cli, printable(info.url ?? ''));
}

async function updateUrl(
  cli: Cli,
  { auth, ...options }: UpdateOptions,
  argument: string | undefined,
  flag = '--auth',
): Promise<void> {
  if (auth === undefined || !modes.includes(auth))
    throw new UsageError(`${flag} must be ${modes.join(' or ')}${auth === undefined ? '' : `, not ${auth}`}`);
  const handle = await openSprite(cli, options, argument);
  const { info } = await withProgress(cli, `changing ${handle.name}`, () =>
    handle.update({ urlSettings: { auth } }),
  );
  const who =
    auth === 'public' ? 'open to everybody who reaches the server' : 'open with a token or a sign-in';
  note(cli, `${cli.style.good('✓')} ${printable(info?.url ?? handle.name)} is ${who}`);
}

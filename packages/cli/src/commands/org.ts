import { type Cli, type GlobalOptions, isInteractive, note, print, printJson } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { removeSecret } from '../config/keyring.ts';
import { currentSelection, type Login, listLogins, withoutLogin, withSelection } from '../config/logins.ts';
import { readSpritesFile, spritesFilePath, updateSpritesFile } from '../config/sprites-file.ts';
import { parseOrg } from '../connection.ts';
import { askYesNo } from '../terminal/ask.ts';
import { formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { defineKeyring } from './keyring.ts';
import { type LoginOptions, login } from './login.ts';
import { logout } from './logout.ts';

type ListOptions = GlobalOptions & { readonly json?: boolean };
type LogoutOptions = GlobalOptions & { readonly force?: boolean };

/** Defines `sprite org` with `auth`, `list`, `logout` and `keyring`. */
export function defineOrg({ program, cli, exit }: CommandHost): void {
  const org = createServerCommand('org', 'manage organizations and their tokens', [
    'sprite org list',
    'sprite org auth -o acme',
  ]).aliases(['orgs', 'organizations', 'o']);
  defineAuth(org, cli);
  defineList(org, cli);
  defineLogout(org, cli, exit);
  defineKeyring(org, cli);
  program.addCommand(org);
}

type Parent = CommandHost['program'];

function defineAuth(org: Parent, cli: Cli): void {
  const command = createServerCommand('auth', 'add a token, or switch to an organization that has one', [
    'sprite org auth',
    'sprite org auth -o acme',
    'sprite org auth https://sprites.example.com -o prod:acme',
  ])
    .argument('[api-url]', 'server or its alias')
    .option('--token <token>', 'token; asked for, or read from stdin, when left out')
    .action((url: string | undefined) => authenticate(cli, allOptions(command), url));
  org.addCommand(command);
}

async function authenticate(cli: Cli, options: LoginOptions, url: string | undefined): Promise<void> {
  const wish = parseOrg(options.org);
  if (wish.org !== undefined && url === undefined && options.token === undefined) {
    const path = spritesFilePath(cli.environment.home);
    const stored = await findLogin(path, wish);
    if (stored !== undefined) {
      await updateSpritesFile(path, (file) => withSelection(file, stored));
      note(cli, `${cli.style.good('✓')} using ${stored.org} at ${stored.apiUrl}`);
      return;
    }
  }
  await login(cli, options, url);
}

async function findLogin(path: string, wish: ReturnType<typeof parseOrg>): Promise<Login | undefined> {
  const file = await readSpritesFile(path);
  const here = currentSelection(file)?.apiUrl;
  const found = listLogins(file).filter(
    (login) => login.org === wish.org && (wish.alias === undefined || login.alias === wish.alias),
  );
  return found.find((login) => login.apiUrl === here) ?? found[0];
}

function defineList(org: Parent, cli: Cli): void {
  const command = createServerCommand('list', 'show the stored tokens, without their secrets', [
    'sprite org list',
  ])
    .alias('ls')
    .argument('[api-url]', 'only this server, by URL or alias')
    .option('--json', 'print JSON')
    .action((url: string | undefined) => listOrgs(cli, allOptions(command), url));
  org.addCommand(command);
}

async function listOrgs(cli: Cli, options: ListOptions, only: string | undefined): Promise<void> {
  const file = await readSpritesFile(spritesFilePath(cli.environment.home));
  const current = currentSelection(file);
  const rows = listLogins(file)
    .filter(
      (login) => only === undefined || login.apiUrl === only.replace(/\/+$/, '') || login.alias === only,
    )
    .map(({ apiUrl, org, alias, keyringKey }) => ({
      org,
      url: apiUrl,
      alias: alias ?? null,
      storage: keyringKey === undefined ? 'file' : 'keyring',
      current: current?.apiUrl === apiUrl && current.org === org,
    }));
  if (options.json === true) {
    printJson(cli, rows);
  } else if (rows.length === 0) {
    note(cli, 'no tokens; run `sprite login`');
  } else {
    const heading = ['', 'ORGANIZATION', 'SERVER', 'ALIAS', 'TOKEN IN'].map(cli.style.dim);
    const cells = rows.map((row) => [
      row.current ? cli.style.good('*') : '',
      cli.style.bold(row.org),
      row.url,
      row.alias ?? '-',
      row.storage,
    ]);
    print(cli, formatTable(heading, cells));
  }
}

function defineLogout(org: Parent, cli: Cli, exit: CommandHost['exit']): void {
  const command = createServerCommand('logout', 'forget tokens: all, or with -o those of one organization', [
    'sprite org logout',
    'sprite org logout --force -o acme',
  ])
    .option('--force', 'do not ask')
    .action(async () => exit(await logOutOf(cli, allOptions(command))));
  org.addCommand(command);
}

async function logOutOf(cli: Cli, options: LogoutOptions): Promise<number> {
  const what = options.org === undefined ? 'all tokens' : `the token of ${options.org}`;
  if (options.force !== true) {
    if (!isInteractive(cli)) throw new UsageError(`nobody to ask whether to forget ${what}; use --force`);
    if (!(await askYesNo(cli, `Forget ${what}?`))) return 1;
  }
  if (options.org === undefined) {
    await logout(cli);
    return 0;
  }
  const path = spritesFilePath(cli.environment.home);
  const stored = await findLogin(path, parseOrg(options.org));
  if (stored === undefined) throw new CliError(`no token of ${options.org} is stored`);
  if (stored.keyringKey !== undefined) await removeSecret(stored.keyringKey);
  await updateSpritesFile(path, (file) => withoutLogin(file, stored));
  note(cli, `${cli.style.good('✓')} removed the token of ${stored.org} at ${stored.apiUrl}`);
  return 0;
}

import { type Cli, type GlobalOptions, isInteractive, note } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { isCleartext, localApiUrl, normalizeApiUrl } from '../config/api-url.ts';
import { currentSelection, listLogins } from '../config/logins.ts';
import { saveLogin } from '../config/save-login.ts';
import { readSpritesFile, spritesFilePath } from '../config/sprites-file.ts';
import { parseToken } from '../config/token.ts';
import { environmentApiUrl, parseOrg } from '../connection.ts';
import { fetchOrganization } from '../organization.ts';
import { askSecret, askText } from '../terminal/ask.ts';
import { withProgress } from '../terminal/progress.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

const maxTokenBytes = 65_536;

export type LoginOptions = GlobalOptions & { readonly token?: string };

/** Defines `sprite login`. */
export function defineLogin({ program, cli }: CommandHost): void {
  const command = createServerCommand('login', 'store a token for a server', [
    'sprite login',
    'sprite login https://sprites.example.com',
    'sprite login https://sprites.example.com < token.txt',
  ])
    .argument('[api-url]', `server; default the one in use, or ${localApiUrl}`)
    .option('--token <token>', 'token; asked for, or read from stdin, when left out')
    .action((url: string | undefined) => login(cli, allOptions(command), url));
  program.addCommand(command);
}

/** Takes a token, checks it with its server and stores it. `target` is an API URL or an alias. */
export async function login(cli: Cli, options: LoginOptions, target: string | undefined): Promise<void> {
  const wish = parseOrg(options.org);
  const apiUrl = await chooseApiUrl(cli, target ?? (wish.alias || undefined));
  if (isCleartext(apiUrl)) note(cli, `${cli.style.warn('warning')}: ${apiUrl} carries the token unencrypted`);
  const token = (options.token ?? (await readToken(cli, apiUrl))).trim();
  parseToken(token);
  const organization = await withProgress(cli, `asking ${apiUrl}`, () => fetchOrganization(apiUrl, token));
  if (wish.org !== undefined && wish.org !== organization.slug) {
    throw new CliError(`this token is for organization ${organization.slug}, not ${wish.org}`);
  }
  const { home } = cli.environment;
  await saveLogin({ apiUrl, token, org: organization.slug, alias: wish.alias || undefined, home });
  note(cli, `${cli.style.good('✓')} logged in to ${organization.slug} at ${apiUrl}`);
}

async function chooseApiUrl(cli: Cli, target: string | undefined): Promise<string> {
  const file = await readSpritesFile(spritesFilePath(cli.environment.home));
  const alias = listLogins(file).find((one) => one.alias !== undefined && one.alias === target);
  if (alias !== undefined) return alias.apiUrl;
  if (target !== undefined) return normalizeApiUrl(target);
  const known = environmentApiUrl(cli.environment) ?? currentSelection(file)?.apiUrl;
  if (known !== undefined) return known;
  if (!isInteractive(cli)) return localApiUrl;
  return normalizeApiUrl(await askText(cli, 'API URL of the server?', { initial: localApiUrl }));
}

async function readToken(cli: Cli, apiUrl: string): Promise<string> {
  if (isInteractive(cli)) return askSecret(cli, `Token for ${apiUrl}?`);
  if (cli.stdin.isTTY === true) throw new UsageError('no token given; use --token, or write it to stdin');
  let text = '';
  for await (const chunk of cli.stdin) {
    text += String(chunk);
    if (text.length > maxTokenBytes) break;
  }
  if (text.trim() === '') throw new UsageError('no token given; use --token, or write it to stdin');
  return text;
}

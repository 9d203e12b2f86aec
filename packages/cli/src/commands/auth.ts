import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { localApiUrl, normalizeApiUrl } from '../config/api-url.ts';
import { currentSelection } from '../config/logins.ts';
import { saveLogin } from '../config/save-login.ts';
import { readSpritesFile, spritesFilePath } from '../config/sprites-file.ts';
import { parseToken } from '../config/token.ts';
import { environmentApiUrl } from '../connection.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type SetupOptions = GlobalOptions & { readonly token: string };

/** Defines `sprite auth setup`. */
export function defineAuth({ program, cli }: CommandHost): void {
  const auth = createServerCommand('auth', 'store a token without asking anything, for automation', []);
  const setup = createServerCommand('setup', 'store a token unchecked', [
    'sprite auth setup --token "$TOKEN"',
    'sprite auth setup --token "$TOKEN" https://sprites.example.com',
  ])
    .argument('[api-url]', `server; default SPRITES_API_URL, the one in use, or ${localApiUrl}`)
    .requiredOption('--token <token>', 'token: org-slug/org-id/token-id/token-value')
    .action((url: string | undefined) => setUp(cli, allOptions(setup), url));
  auth.addCommand(setup);
  program.addCommand(auth);
}

async function setUp(cli: Cli, { token }: SetupOptions, url: string | undefined): Promise<void> {
  const { environment } = cli;
  const { org } = parseToken(token);
  const named = url === undefined ? environmentApiUrl(environment) : normalizeApiUrl(url);
  const file = await readSpritesFile(spritesFilePath(environment.home));
  const apiUrl = named ?? currentSelection(file)?.apiUrl ?? localApiUrl;
  await saveLogin({ apiUrl, token, home: environment.home });
  note(cli, `${cli.style.good('✓')} stored the token of ${org} for ${apiUrl}; it was not checked`);
}

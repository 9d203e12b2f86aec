import { CliError } from './cli-error.ts';
import { normalizeApiUrl } from './config/api-url.ts';
import type { Environment } from './config/environment.ts';
import type { JsonObject } from './config/json.ts';
import { readSecret } from './config/keyring.ts';
import { currentSelection, type Login, listLogins } from './config/logins.ts';
import { findProject, type Project } from './config/project-file.ts';
import { readSpritesFile, spritesFilePath } from './config/sprites-file.ts';
import { parseToken } from './config/token.ts';

/** A server, an organization of it and the token for both. */
export type Connection = {
  readonly apiUrl: string;
  readonly org: string;
  readonly token: string;
  /** the `.sprite` file in force, if any */
  readonly project: Project | undefined;
};

/** What decides the connection, strongest first: `-o`, environment, `.sprite`, the stored selection. */
export type ConnectionInput = {
  readonly environment: Environment;
  readonly cwd: string;
  /** value of `-o`: `org`, `alias:org` or `alias:` */
  readonly org?: string | undefined;
};

/** Finds out which server, organization and token to use. */
export async function resolveConnection({ environment, cwd, org }: ConnectionInput): Promise<Connection> {
  const project = await findProject(cwd);
  const wish = parseOrg(org);
  if (environment.token !== undefined) {
    const file = await readLenient(environment);
    const fromEnvironment = tokenConnection(environment, environment.token, file, project);
    // An organization named on the command line that the variable's token is not for is asked of the file.
    if (wish.org === undefined || wish.org === fromEnvironment.org) return fromEnvironment;
  }
  const file = await readSpritesFile(spritesFilePath(environment.home));
  const login = chooseLogin(file, environment, wish, project);
  return { apiUrl: login.apiUrl, org: login.org, token: await tokenOf(login), project };
}

/** The parts of `-o`: `acme`, `prod:acme` or `prod:`. */
export function parseOrg(text: string | undefined): { readonly alias?: string; readonly org?: string } {
  if (text === undefined) return {};
  const colon = text.indexOf(':');
  if (colon < 0) return { org: text };
  const org = text.slice(colon + 1);
  return { alias: text.slice(0, colon), ...(org === '' ? {} : { org }) };
}

/** The API root inside `SPRITE_URL`, and the sprite it names. */
export function parseSpriteUrl(text: string): { readonly apiUrl: string; readonly sprite: string } {
  const match = /^(.+)\/v1\/sprites\/([^/]+)\/?$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new CliError(`SPRITE_URL must look like <api url>/v1/sprites/<name>, not ${text}`);
  }
  return { apiUrl: normalizeApiUrl(match[1]), sprite: decodeURIComponent(match[2]) };
}

/** The server the environment names, if it names one. */
export function environmentApiUrl(environment: Environment): string | undefined {
  if (environment.apiUrl !== undefined) return normalizeApiUrl(environment.apiUrl);
  return environment.spriteUrl === undefined ? undefined : parseSpriteUrl(environment.spriteUrl).apiUrl;
}

function tokenConnection(
  environment: Environment,
  token: string,
  file: JsonObject,
  project: Project | undefined,
): Connection {
  const apiUrl = environmentApiUrl(environment) ?? currentSelection(file)?.apiUrl;
  if (apiUrl === undefined) {
    throw new CliError('SPRITE_TOKEN is set but no server is known; set SPRITES_API_URL, too');
  }
  const org = /^[^/]+\/[^/]+\/[^/]+/.test(token) ? parseToken(token).org : (environment.org ?? '');
  return { apiUrl, org, token, project };
}

/** A damaged file must not stop a command whose environment says everything. */
async function readLenient(environment: Environment): Promise<JsonObject> {
  const file = readSpritesFile(spritesFilePath(environment.home));
  return environmentApiUrl(environment) === undefined ? file : file.catch(() => ({}));
}

function chooseLogin(
  file: JsonObject,
  environment: Environment,
  wish: { readonly alias?: string; readonly org?: string },
  project: Project | undefined,
): Login {
  const all = listLogins(file);
  const selection = currentSelection(file);
  const apiUrl = wish.alias === undefined ? environmentApiUrl(environment) : aliasUrl(all, wish.alias);
  const here = apiUrl === undefined ? all : all.filter((login) => login.apiUrl === apiUrl);
  if (here.length === 0) throw notLoggedIn(apiUrl);
  const org = wish.org ?? environment.org ?? project?.organization;
  const named = org === undefined ? here : here.filter((login) => login.org === org);
  const selected = named.find((login) => login.apiUrl === selection?.apiUrl && login.org === selection.org);
  const best = selected ?? named.find((login) => login.apiUrl === selection?.apiUrl) ?? named[0];
  if (best !== undefined) return best;
  const known = [...new Set(here.map((login) => login.org))].join(', ');
  const source =
    wish.org === undefined && environment.org === undefined ? ` (named by ${project?.file})` : '';
  throw new CliError(
    `no token for organization ${org}${source}; known: ${known}. Run \`sprite org auth\` to add one`,
  );
}

function aliasUrl(all: readonly Login[], alias: string): string {
  const found = all.find((login) => login.alias === alias);
  if (found !== undefined) return found.apiUrl;
  throw new CliError(
    `no server has the alias ${alias}; add one with \`sprite org auth <api-url> -o ${alias}:\``,
  );
}

function notLoggedIn(apiUrl: string | undefined): CliError {
  const where = apiUrl === undefined ? '' : ` at ${apiUrl}`;
  return new CliError(`not logged in${where}; run \`sprite login ${apiUrl ?? '<api-url>'}\``);
}

async function tokenOf(login: Login): Promise<string> {
  const token = login.keyringKey === undefined ? login.token : await readSecret(login.keyringKey);
  if (token !== undefined) return token;
  const place = login.keyringKey === undefined ? 'the configuration file' : 'the system keyring';
  throw new CliError(
    `the token of ${login.org} at ${login.apiUrl} is not in ${place}; run \`sprite login ${login.apiUrl}\``,
  );
}

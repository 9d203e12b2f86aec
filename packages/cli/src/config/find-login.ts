import { normalizeApiUrl } from './api-url.ts';
import { listLogins } from './logins.ts';
import { readSpritesFile, spritesFilePath } from './sprites-file.ts';

/** The token that `~/.sprites/sprites.json` holds for an organization of a server, if any. */
export async function findLogin(input: {
  readonly apiUrl: string;
  readonly org: string;
  readonly home?: string;
}): Promise<string | undefined> {
  const apiUrl = normalizeApiUrl(input.apiUrl);
  const file = await readSpritesFile(spritesFilePath(input.home));
  return listLogins(file).find((login) => login.apiUrl === apiUrl && login.org === input.org)?.token;
}

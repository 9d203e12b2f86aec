import { normalizeApiUrl } from './api-url.ts';
import { withLogin } from './logins.ts';
import { spritesFilePath, updateSpritesFile } from './sprites-file.ts';
import { parseToken } from './token.ts';

/** What `saveLogin` stores; `home` is the home directory whose `.sprites/sprites.json` is written. */
export type SaveLogin = {
  readonly apiUrl: string;
  readonly token: string;
  /** organization slug; read from the token when absent */
  readonly org?: string;
  /** short name of the server, for `-o alias:org` */
  readonly alias?: string | undefined;
  readonly home?: string;
};

/** Stores a token as `sprite login` does and selects its organization. Other members of the file stay. */
export async function saveLogin({ apiUrl, token, org, alias, home }: SaveLogin): Promise<void> {
  const login = { apiUrl: normalizeApiUrl(apiUrl), org: org ?? parseToken(token).org, alias, token };
  await updateSpritesFile(spritesFilePath(home), (file) => withLogin(file, login));
}

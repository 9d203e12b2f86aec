import { isJsonObject, type JsonObject, objectAt, textAt, withoutMember } from './json.ts';

/** One stored access to one organization of one server. */
export type Login = {
  readonly apiUrl: string;
  readonly org: string;
  /** short name of the server, for `-o alias:org` */
  readonly alias?: string | undefined;
  readonly token?: string | undefined;
  /** key in the system keyring when the token is there and not in the file */
  readonly keyringKey?: string | undefined;
};

/** The organization that commands use when none is named. */
export type Selection = { readonly apiUrl: string; readonly org: string };

/** All stored logins, in file order. Entries of a shape we do not know are passed over. */
export function listLogins(file: JsonObject): readonly Login[] {
  return Object.entries(objectAt(file, 'urls')).flatMap(([apiUrl, server]) => {
    if (!isJsonObject(server)) return [];
    const alias = textAt(server, 'alias');
    return Object.entries(objectAt(server, 'orgs')).flatMap(([org, entry]) =>
      isJsonObject(entry) ? [{ apiUrl, org, alias, ...secretOf(entry) }] : [],
    );
  });
}

/** The selection, when the file has one. */
export function currentSelection(file: JsonObject): Selection | undefined {
  const current = objectAt(file, 'current_selection');
  const apiUrl = textAt(current, 'url');
  const org = textAt(current, 'org');
  return apiUrl === undefined || org === undefined ? undefined : { apiUrl, org };
}

/** Adds or replaces a login and selects it; every other member of the file stays. */
export function withLogin(file: JsonObject, login: Login): JsonObject {
  return withSelection(withLoginOnly(file, login), login);
}

/** Adds or replaces a login without selecting it. */
export function withLoginOnly(
  file: JsonObject,
  { apiUrl, org, alias, token, keyringKey }: Login,
): JsonObject {
  const urls = objectAt(file, 'urls');
  const server = objectAt(urls, apiUrl);
  const orgs = objectAt(server, 'orgs');
  const rest = withoutMember(withoutMember(objectAt(orgs, org), 'api_token'), 'keyring_key');
  const secret = keyringKey === undefined ? { api_token: token } : { keyring_key: keyringKey };
  const entry = { name: org, sprites: {}, ...rest, ...secret, use_keyring: keyringKey !== undefined };
  const named = alias === undefined ? {} : { alias };
  return {
    version: '1',
    ...file,
    urls: { ...urls, [apiUrl]: { ...server, url: apiUrl, ...named, orgs: { ...orgs, [org]: entry } } },
  };
}

/** Makes a stored login the one that commands use. */
export function withSelection(file: JsonObject, { apiUrl, org }: Selection): JsonObject {
  return { ...file, current_selection: { ...objectAt(file, 'current_selection'), url: apiUrl, org } };
}

/** Removes one login; the selection goes too when it was the selected one. */
export function withoutLogin(file: JsonObject, { apiUrl, org }: Selection): JsonObject {
  const urls = objectAt(file, 'urls');
  const server = objectAt(urls, apiUrl);
  const orgs = withoutMember(objectAt(server, 'orgs'), org);
  const kept =
    Object.keys(orgs).length === 0 ? withoutMember(urls, apiUrl) : { ...urls, [apiUrl]: { ...server, orgs } };
  const current = currentSelection(file);
  const wasSelected = current?.apiUrl === apiUrl && current.org === org;
  return { ...(wasSelected ? withoutMember(file, 'current_selection') : file), urls: kept };
}

function secretOf(entry: JsonObject): Pick<Login, 'token' | 'keyringKey'> {
  const inKeyring = entry.use_keyring === true;
  return inKeyring ? { keyringKey: textAt(entry, 'keyring_key') } : { token: textAt(entry, 'api_token') };
}

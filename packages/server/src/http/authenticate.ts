import { SpriteError } from '@sprites/contract';
import { authenticate, type OrgRecord, type Store } from '@sprites/core';

/** The org of a request's bearer token. Throws `unauthorized`. */
export async function authenticateHeader(
  store: Store,
  authorization: string | undefined,
): Promise<OrgRecord> {
  if (authorization === undefined) {
    throw new SpriteError('unauthorized', 'no token; send the header Authorization: Bearer <token>');
  }
  const match = /^Bearer +(\S+) *$/i.exec(authorization);
  const org = match?.[1] === undefined ? undefined : await authenticate(store, match[1]);
  if (org === undefined) throw new SpriteError('unauthorized', 'the token is not valid on this server');
  return org;
}

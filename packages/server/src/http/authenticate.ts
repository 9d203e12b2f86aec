import type { IncomingMessage } from 'node:http';
import { type Endpoint, SpriteError } from '@sprites/contract';
import { authenticate, type OrgRecord, type Store } from '@sprites/core';
import { insiderOf } from '../link/insiders.ts';

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

/**
 * The org that may call an endpoint: that of the bearer token or, on a connection from inside a sprite, that of the
 * sprite, which may ask about nothing but itself. Throws `unauthorized` and `forbidden`.
 */
export async function authenticateRequest(
  store: Store,
  request: IncomingMessage,
  { endpoint, name }: { readonly endpoint: Endpoint; readonly name: string | undefined },
): Promise<OrgRecord> {
  const insider = insiderOf(request.socket);
  if (insider === undefined) return authenticateHeader(store, request.headers.authorization);
  if (endpoint.inside === true && name === insider.name) return insider.org;
  throw new SpriteError('forbidden', `${endpoint.method} ${endpoint.path} is not for programs in a sprite`);
}

import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Endpoint, SpriteError } from '@sprites/contract';
import { authenticate, identifyToken, type OrgRecord, type Store } from '@sprites/core';
import { insiderOf } from '../link/insiders.ts';

/** The org of a request's bearer token. Throws `unauthorized`. */
export async function authenticateHeader(
  store: Store,
  authorization: string | undefined,
): Promise<OrgRecord> {
  if (authorization === undefined) {
    throw new SpriteError('unauthorized', 'no token; send the header Authorization: Bearer <token>');
  }
  const token = bearerOf(authorization);
  const org = token === undefined ? undefined : await authenticate(store, token);
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

/**
 * By what requests are counted: a digest of the parts of the token that prove it, however the header is written and whatever
 * the other parts say; or the sprite from inside which they come. Undefined for those that no token can have sent.
 */
export function countedBy(request: IncomingMessage): string | undefined {
  const insider = insiderOf(request.socket);
  if (insider !== undefined) return `inside ${insider.org.id} ${insider.name}`;
  const text = bearerOf(request.headers.authorization ?? '');
  const token = text === undefined ? undefined : identifyToken(text);
  return token === undefined ? undefined : hash('sha256', `${token.tokenId} ${token.secret}`, 'base64');
}

function bearerOf(authorization: string): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

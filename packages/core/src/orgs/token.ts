import { createId, createRandomText } from '@sprites/contract';
import type { Clock } from '../ports/clock.ts';
import type { OrgRecord, Store, TokenRecord } from '../ports/store.ts';

/** The parts of a token's text: `org-slug/org-id/token-id/secret`. */
export type TokenParts = {
  readonly orgSlug: string;
  readonly orgId: string;
  readonly tokenId: string;
  readonly secret: string;
};

/** Reads a token's text; undefined when it has another shape. */
export function parseToken(text: string): TokenParts | undefined {
  const match = /^([a-z0-9-]{1,64})\/([A-Za-z0-9_]{1,64})\/([A-Za-z0-9_]{1,64})\/([\x21-\x7e]{8,512})$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, orgSlug = '', orgId = '', tokenId = '', secret = ''] = match;
  return { orgSlug, orgId, tokenId, secret };
}

/** Lower-case hex sha-256; enough for secrets of 160 random bits and more. */
export async function hashSecret(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

type TokenDeps = { readonly store: Store; readonly clock: Clock };

/** Makes a token of the org and returns its text, which is shown this once. */
export async function createToken(deps: TokenDeps, org: OrgRecord, description: string): Promise<string> {
  const secret = createRandomText(40);
  const token: TokenRecord = {
    id: createId('tok', deps.clock.now()),
    orgId: org.id,
    secretHash: await hashSecret(secret),
    description,
    createdAt: new Date(deps.clock.now()).toISOString(),
  };
  await deps.store.insertToken(token);
  return `${org.slug}/${org.id}/${token.id}/${secret}`;
}

/** Token id under which an operator's own text is kept when it does not have the four parts. */
const operatorTokenId = 'tok_operator';

/** What of a token's text names it, and what proves it; undefined for a text that no token can have. */
export function identifyToken(
  text: string,
): { readonly tokenId: string; readonly secret: string } | undefined {
  const parts = parseToken(text);
  if (parts !== undefined) return parts;
  return /^[\x21-\x7e]{16,512}$/.test(text) ? { tokenId: operatorTokenId, secret: text } : undefined;
}

/** The org a token belongs to, or undefined for a token that is not good. */
export async function authenticate(store: Store, text: string): Promise<OrgRecord | undefined> {
  const parts = identifyToken(text);
  if (parts === undefined) return undefined;
  const token = await store.findToken(parts.tokenId);
  if (token === undefined || !equalText(token.secretHash, await hashSecret(parts.secret))) return undefined;
  return store.findOrg(token.orgId);
}

function equalText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

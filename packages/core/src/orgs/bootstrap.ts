import { createId, createRandomText, SpriteError } from '@sprites/contract';
import type { Clock } from '../ports/clock.ts';
import type { OrgRecord, Store } from '../ports/store.ts';
import { hashSecret, identifyToken } from './token.ts';

type BootstrapDeps = { readonly store: Store; readonly clock: Clock };

/** The org of that slug, made when it does not exist yet. */
export async function ensureOrg(deps: BootstrapDeps, slug: string): Promise<OrgRecord> {
  if (!/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(slug)) {
    throw new SpriteError(
      'invalid_request',
      `org ${JSON.stringify(slug)}: lower-case letters, digits and hyphens only`,
    );
  }
  const found = await deps.store.findOrgBySlug(slug);
  if (found !== undefined) return found;
  const now = deps.clock.now();
  const org: OrgRecord = {
    id: createId('org', now),
    slug,
    urlId: createRandomText(8),
    createdAt: new Date(now).toISOString(),
  };
  await deps.store.insertOrg(org);
  return org;
}

/**
 * Makes a token that the operator chose valid for the org: either the four parts of an ordinary token or any 16 to 512
 * printable characters. Throws `invalid_request` for another text.
 */
export async function installToken(deps: BootstrapDeps, org: OrgRecord, text: string): Promise<void> {
  const token = identifyToken(text);
  if (token === undefined || token.secret.length < 16) {
    throw new SpriteError(
      'invalid_request',
      'the token must have at least 16 printable characters and no space',
    );
  }
  await deps.store.putToken({
    id: token.tokenId,
    orgId: org.id,
    secretHash: await hashSecret(token.secret),
    description: 'chosen by the operator',
    createdAt: new Date(deps.clock.now()).toISOString(),
  });
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { endpoints, SpriteError } from '@sprites/contract';
import { type Clock, createToken } from '@sprites/core';
import { type App, serve, serveOpen } from '../http/app.ts';
import { toCounters, type WireDeps } from './sprite-json.ts';

export type OrganizationRoutesDeps = WireDeps & {
  readonly clock: Clock;
  /** what the token exchange accepts; undefined closes it */
  readonly exchangeCredential: string | undefined;
};

/** Spec section 14. */
export function routeOrganization(app: App, deps: OrganizationRoutesDeps): void {
  serve(app, deps.store, endpoints.getOrganization, async ({ context, org }) =>
    context.json({ ...(await toCounters(deps, org)), slug: org.slug, id: org.id }),
  );
  serveOpen(app, endpoints.createToken, async ({ context, parameters, body }) => {
    const credential = flyCredential(context.req.header('authorization'));
    if (deps.exchangeCredential === undefined) {
      throw new SpriteError(
        'forbidden',
        'this server exchanges no credentials; make a token with sprites-server token create',
      );
    }
    if (credential === undefined || !sameSecret(credential, deps.exchangeCredential)) {
      throw new SpriteError('unauthorized', 'the credential is not the one this server accepts');
    }
    const org = await deps.store.findOrgBySlug(parameters.org ?? '');
    if (org === undefined)
      throw new SpriteError('forbidden', 'the credential is not good for this organisation');
    return context.json({ token: await createToken(deps, org, body.description ?? 'token exchange') }, 201);
  });
}

/** The credential behind one or more `FlyV1` prefixes. Spec section 1.2. */
function flyCredential(header: string | undefined): string | undefined {
  const match = /^(?:FlyV1 +)+(\S+) *$/i.exec(header ?? '');
  return match?.[1];
}

function sameSecret(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

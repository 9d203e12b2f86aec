import { endpoints } from '@sprites/contract';
import { getNetworkPolicy, type SpriteDeps, setNetworkPolicy } from '@sprites/core';
import { type App, serve } from '../http/app.ts';

/** Spec section 12. */
export function routePolicy(app: App, deps: SpriteDeps): void {
  serve(app, deps.store, endpoints.getNetworkPolicy, async ({ context, org, parameters }) => {
    const policy = await getNetworkPolicy(deps, { orgId: org.id, name: parameters.name ?? '' });
    return context.json(policy);
  });
  serve(app, deps.store, endpoints.setNetworkPolicy, async ({ context, org, parameters, body }) => {
    await setNetworkPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: body });
    return context.body(null, 204);
  });
}

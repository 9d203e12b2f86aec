import { endpoints } from '@sprites/contract';
import {
  type EgressDeps,
  getNetworkPolicy,
  getPrivilegesPolicy,
  getResourcesPolicy,
  readEgress,
  setNetworkPolicy,
  setPrivilegesPolicy,
  setResourcesPolicy,
  suggestNetworkPolicy,
} from '@sprites/core';
import { type App, serve } from '../http/app.ts';

/** Spec section 12. */
export function routePolicy(app: App, deps: EgressDeps): void {
  serve(app, deps.store, endpoints.getNetworkPolicy, async ({ context, org, parameters }) => {
    const policy = await getNetworkPolicy(deps, { orgId: org.id, name: parameters.name ?? '' });
    return context.json(policy);
  });
  serve(app, deps.store, endpoints.setNetworkPolicy, async ({ context, org, parameters, body }) => {
    await setNetworkPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: body });
    return context.body(null, 204);
  });
  serve(app, deps.store, endpoints.getEgressLog, async ({ context, org, parameters }) =>
    context.json(await readEgress(deps, { orgId: org.id, name: parameters.name ?? '' })),
  );
  serve(app, deps.store, endpoints.suggestNetworkPolicy, async ({ context, org, parameters, query }) => {
    const defaults = query.defaults === 'true' || query.defaults === '1';
    const input = { orgId: org.id, name: parameters.name ?? '', defaults };
    return context.json(await suggestNetworkPolicy(deps, input));
  });
  routeMachinePolicies(app, deps);
}

function routeMachinePolicies(app: App, deps: EgressDeps): void {
  const { store } = deps;
  serve(app, store, endpoints.getPrivilegesPolicy, async ({ context, org, parameters }) =>
    context.json(await getPrivilegesPolicy(deps, { orgId: org.id, name: parameters.name ?? '' })),
  );
  serve(app, store, endpoints.setPrivilegesPolicy, async ({ context, org, parameters, body }) => {
    await setPrivilegesPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: body });
    return context.body(null, 204);
  });
  serve(app, store, endpoints.deletePrivilegesPolicy, async ({ context, org, parameters }) => {
    await setPrivilegesPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: undefined });
    return context.body(null, 204);
  });
  serve(app, store, endpoints.getResourcesPolicy, async ({ context, org, parameters }) =>
    context.json(await getResourcesPolicy(deps, { orgId: org.id, name: parameters.name ?? '' })),
  );
  serve(app, store, endpoints.setResourcesPolicy, async ({ context, org, parameters, body }) => {
    await setResourcesPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: body });
    return context.body(null, 204);
  });
  serve(app, store, endpoints.deleteResourcesPolicy, async ({ context, org, parameters }) => {
    await setResourcesPolicy(deps, { orgId: org.id, name: parameters.name ?? '', policy: undefined });
    return context.body(null, 204);
  });
}

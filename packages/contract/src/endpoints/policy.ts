import { z } from 'zod';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { EgressLog, NetworkPolicy, PrivilegesPolicy, ResourcesPolicy } from '../policy.ts';
import { aboutSprite } from './error-codes.ts';

const tag = 'policy';
const network = '/v1/sprites/{name}/policy/network';
const privileges = '/v1/sprites/{name}/policy/privileges';
const resources = '/v1/sprites/{name}/policy/resources';

/** What a sprite may reach, do and use. None of these wakes a sprite. Spec section 12. */
export const policyEndpoints = {
  /** 12.1 */
  getNetworkPolicy: defineEndpoint({
    id: 'getNetworkPolicy',
    method: 'GET',
    path: network,
    tag,
    summary: 'Which names a sprite may reach',
    answers: [{ type: 'json', status: 200, schema: NetworkPolicy }],
    errors: aboutSprite,
    authenticated: true,
  }),
  setNetworkPolicy: defineEndpoint({
    id: 'setNetworkPolicy',
    method: 'POST',
    path: network,
    tag,
    summary: 'Replace the network policy; it is in force, also for open connections, when the answer arrives',
    body: NetworkPolicy,
    bodyError: 'invalid_policy',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_policy', ...aboutSprite],
    authenticated: true,
  }),
  getEgressLog: defineEndpoint({
    id: 'getEgressLog',
    method: 'GET',
    path: `${network}/log`,
    tag,
    summary: 'What a sprite with a network policy asked for, newest first',
    answers: [{ type: 'json', status: 200, schema: EgressLog }],
    errors: aboutSprite,
    authenticated: true,
  }),
  suggestNetworkPolicy: defineEndpoint({
    id: 'suggestNetworkPolicy',
    method: 'GET',
    path: `${network}/suggestion`,
    tag,
    summary: 'Rules that allow what the sprite was seen to reach by name',
    query: z.object({
      defaults: z
        .string()
        .optional()
        .meta({ description: '`true` puts `include: defaults` in place of the names it covers' }),
    }),
    answers: [{ type: 'json', status: 200, schema: NetworkPolicy }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 12.2 */
  getPrivilegesPolicy: defineEndpoint({
    id: 'getPrivilegesPolicy',
    method: 'GET',
    path: privileges,
    tag,
    summary: 'What root may do inside a sprite; `{}` when nothing is set',
    answers: [{ type: 'json', status: 200, schema: PrivilegesPolicy }],
    errors: aboutSprite,
    authenticated: true,
  }),
  setPrivilegesPolicy: defineEndpoint({
    id: 'setPrivilegesPolicy',
    method: 'POST',
    path: privileges,
    tag,
    summary: 'Replace the privileges policy; in force from the next start of the machine',
    body: PrivilegesPolicy,
    bodyError: 'invalid_policy',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_policy', ...aboutSprite],
    authenticated: true,
  }),
  deletePrivilegesPolicy: defineEndpoint({
    id: 'deletePrivilegesPolicy',
    method: 'DELETE',
    path: privileges,
    tag,
    summary: 'Forget the privileges policy, from the next start of the machine',
    answers: [{ type: 'empty', status: 204 }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 12.3 */
  getResourcesPolicy: defineEndpoint({
    id: 'getResourcesPolicy',
    method: 'GET',
    path: resources,
    tag,
    summary: 'How much a sprite may use; `{}` when nothing is set',
    answers: [{ type: 'json', status: 200, schema: ResourcesPolicy }],
    errors: aboutSprite,
    authenticated: true,
  }),
  setResourcesPolicy: defineEndpoint({
    id: 'setResourcesPolicy',
    method: 'POST',
    path: resources,
    tag,
    summary: 'Replace the resources policy; a running machine has the new limit when the answer arrives',
    body: ResourcesPolicy,
    bodyError: 'invalid_policy',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_policy', 'not_supported', ...aboutSprite],
    authenticated: true,
  }),
  deleteResourcesPolicy: defineEndpoint({
    id: 'deleteResourcesPolicy',
    method: 'DELETE',
    path: resources,
    tag,
    summary: 'Forget the resources policy; the server’s own limit holds again',
    answers: [{ type: 'empty', status: 204 }],
    errors: aboutSprite,
    authenticated: true,
  }),
} as const satisfies Record<string, Endpoint>;

import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { CreatedToken, CreateToken, Organization } from '../sprite.ts';

/** Organisations and tokens. Spec section 14. */
export const organizationEndpoints = {
  /** 14.1 */
  createToken: defineEndpoint({
    id: 'createToken',
    method: 'POST',
    path: '/v1/organizations/{org}/tokens',
    tag: 'organisation',
    summary: 'Exchange an operator-configured credential (`Authorization: FlyV1 …`) for a token',
    body: CreateToken,
    answers: [{ type: 'json', status: 201, schema: CreatedToken }],
    errors: ['invalid_request', 'unauthorized', 'forbidden'],
    authenticated: false,
  }),
  /** 14.2 */
  getOrganization: defineEndpoint({
    id: 'getOrganization',
    method: 'GET',
    path: '/v1/organization',
    tag: 'organisation',
    summary: 'The organisation of the token',
    answers: [{ type: 'json', status: 200, schema: Organization }],
    errors: ['unauthorized'],
    authenticated: true,
  }),
} as const satisfies Record<string, Endpoint>;

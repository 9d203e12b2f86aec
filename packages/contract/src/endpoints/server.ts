import { z } from 'zod';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { HostInfo } from '../sprite.ts';

/** The server itself. */
export const serverEndpoints = {
  getHost: defineEndpoint({
    id: 'getHost',
    method: 'GET',
    path: '/v1/host',
    tag: 'server',
    summary: 'What this server is made of: isolation, pool, images, limits',
    answers: [{ type: 'json', status: 200, schema: HostInfo }],
    errors: ['unauthorized'],
    authenticated: true,
  }),
  askTls: defineEndpoint({
    id: 'askTls',
    method: 'GET',
    path: '/v1/tls/ask',
    tag: 'server',
    summary: 'Whether a host name belongs to this server, for proxies that get certificates on demand',
    description:
      'Answers the host itself and trusted proxies (`SPRITES_TRUST_PROXY`) only, so that nobody learns by it which sprites exist.',
    query: z.object({ domain: z.string().max(253) }),
    answers: [{ type: 'json', status: 200, schema: z.object({ domain: z.string() }) }],
    errors: ['invalid_request', 'forbidden', 'not_found'],
    authenticated: false,
  }),
  healthz: defineEndpoint({
    id: 'healthz',
    method: 'GET',
    path: '/healthz',
    tag: 'server',
    summary: 'The server process answers',
    answers: [{ type: 'json', status: 200, schema: z.object({ status: z.literal('ok') }) }],
    errors: [],
    authenticated: false,
  }),
  readyz: defineEndpoint({
    id: 'readyz',
    method: 'GET',
    path: '/readyz',
    tag: 'server',
    summary: 'The server can take requests: store, pool and runtime work',
    answers: [{ type: 'json', status: 200, schema: z.object({ status: z.literal('ready') }) }],
    errors: ['unavailable'],
    authenticated: false,
  }),
  metrics: defineEndpoint({
    id: 'metrics',
    method: 'GET',
    path: '/metrics',
    tag: 'server',
    summary: 'Prometheus metrics',
    answers: [{ type: 'bytes', status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8' }],
    errors: [],
    authenticated: false,
  }),
  openapi: defineEndpoint({
    id: 'openapi',
    method: 'GET',
    path: '/openapi.json',
    tag: 'server',
    summary: 'This description',
    answers: [{ type: 'json', status: 200, schema: z.record(z.string(), z.unknown()) }],
    errors: [],
    authenticated: false,
  }),
} as const satisfies Record<string, Endpoint>;

import { z } from 'zod';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import {
  Service,
  ServiceBody,
  ServiceLine,
  ServiceLogsQuery,
  ServiceSignal,
  ServiceStartQuery,
  ServiceStopQuery,
} from '../service.ts';
import { wakes } from './error-codes.ts';

const one = '/v1/sprites/{name}/services/{service}';
const stream = { type: 'ndjson', status: 200, line: ServiceLine } as const;

/** Supervised processes. Spec section 11. */
export const servicesEndpoints = {
  /** 11.2 */
  listServices: defineEndpoint({
    id: 'listServices',
    method: 'GET',
    path: '/v1/sprites/{name}/services',
    tag: 'services',
    summary: 'The services of a sprite, by name',
    answers: [{ type: 'json', status: 200, schema: z.array(Service) }],
    errors: wakes,
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.3 */
  getService: defineEndpoint({
    id: 'getService',
    method: 'GET',
    path: one,
    tag: 'services',
    summary: 'A service and how it is doing',
    answers: [{ type: 'json', status: 200, schema: Service }],
    errors: ['service_not_found', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.4 */
  putService: defineEndpoint({
    id: 'putService',
    method: 'PUT',
    path: one,
    tag: 'services',
    summary: 'Define a service, or define it anew, and start it',
    description: 'The definition is on the sprite’s disk before the stream begins.',
    query: ServiceStartQuery,
    body: ServiceBody,
    answers: [stream],
    errors: ['invalid_request', 'service_conflict', 'request_too_large', 'out_of_space', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.5 */
  deleteService: defineEndpoint({
    id: 'deleteService',
    method: 'DELETE',
    path: one,
    tag: 'services',
    summary: 'Stop a service and forget it; its log stays',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['service_not_found', 'service_conflict', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.6 */
  startService: defineEndpoint({
    id: 'startService',
    method: 'POST',
    path: `${one}/start`,
    tag: 'services',
    summary: 'Start a service, and first what it needs',
    query: ServiceStartQuery,
    answers: [stream],
    errors: ['invalid_request', 'service_not_found', 'service_conflict', 'out_of_space', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.7 */
  stopService: defineEndpoint({
    id: 'stopService',
    method: 'POST',
    path: `${one}/stop`,
    tag: 'services',
    summary: 'Stop a service; it stays stopped until it is started again',
    query: ServiceStopQuery,
    answers: [stream],
    errors: [
      'invalid_request',
      'service_not_found',
      'service_not_running',
      'service_conflict',
      'out_of_space',
      ...wakes,
    ],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.8 */
  restartService: defineEndpoint({
    id: 'restartService',
    method: 'POST',
    path: `${one}/restart`,
    tag: 'services',
    summary: 'Stop a service if it runs, and start it',
    query: ServiceStartQuery,
    answers: [stream],
    errors: ['invalid_request', 'service_not_found', 'service_conflict', 'out_of_space', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.9 */
  getServiceLogs: defineEndpoint({
    id: 'getServiceLogs',
    method: 'GET',
    path: `${one}/logs`,
    tag: 'services',
    summary: 'What a service wrote, and what it goes on writing',
    query: ServiceLogsQuery,
    answers: [stream],
    errors: ['invalid_request', 'service_not_found', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
  /** 11.10 */
  signalService: defineEndpoint({
    id: 'signalService',
    method: 'POST',
    path: '/v1/sprites/{name}/services/signal',
    tag: 'services',
    summary: 'Signal a service; when it ends of it, it is started again',
    body: ServiceSignal,
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_request', 'invalid_signal', 'service_not_found', 'service_not_running', ...wakes],
    authenticated: true,
    agent: 'wakes',
  }),
} as const satisfies Record<string, Endpoint>;

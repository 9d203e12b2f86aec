import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { wakes } from './error-codes.ts';

const common = {
  method: 'GET',
  tag: 'ports',
  answers: [{ type: 'websocket' }],
  errors: ['upgrade_required', ...wakes],
  authenticated: true,
  agent: 'wakes',
} as const;

/** TCP ports of a sprite. Spec section 9. */
export const portsEndpoints = {
  /** 9.1 */
  proxy: defineEndpoint({
    ...common,
    id: 'proxy',
    path: '/v1/sprites/{name}/proxy',
    summary: 'Connect to a TCP port as programs in the sprite can',
    description:
      'The client sends `{"host":"localhost","port":8080}` as text and gets `{"status":"connected","target":"localhost:8080"}`, or `refused` or `error` and a close. Binary messages are the bytes of the connection.',
  }),
  /** 9.2 */
  watchPorts: defineEndpoint({
    ...common,
    id: 'watchPorts',
    path: '/v1/sprites/{name}/ports/watch',
    summary: 'Follow which TCP ports something listens on',
    description:
      'Text messages: first `port_list` with what is open, then `port_opened` and `port_closed` as it changes.',
  }),
} as const satisfies Record<string, Endpoint>;

import type { IncomingMessage } from 'node:http';
import { contextOf } from '../http/request-context.ts';

/** Headers that are the server's own affair; programs in a sprite never see them. */
const withheld = new Set(['authorization', 'cookie', 'host', 'proxy-authorization', 'x-request-id']);
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** The client's headers that the agent may see, as name and value in turn. */
export function agentHeaders(request: IncomingMessage, kept: ReadonlySet<string> = new Set()): string[] {
  const headers = ['Host', 'sprite', 'X-Request-Id', contextOf(request).id];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    const key = name.toLowerCase();
    if (withheld.has(key) || (hopByHop.has(key) && !kept.has(key))) continue;
    headers.push(name, request.rawHeaders[i + 1] ?? '');
  }
  return headers;
}

/** The headers of an upgrade request as the agent gets it. */
export function upgradeHeaders(request: IncomingMessage): string[] {
  return agentHeaders(request, new Set(['connection', 'upgrade']));
}

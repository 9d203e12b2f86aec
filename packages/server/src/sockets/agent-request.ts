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

/** The head of an upgrade request as it is replayed to the agent. */
export function upgradeHead(request: IncomingMessage, target: string): string {
  const headers = agentHeaders(request, new Set(['connection', 'upgrade']));
  let head = `GET ${target} HTTP/1.1\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}

import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { renderError } from '@sprites/contract';
import { RateError } from './rate-limit.ts';

/** Sends an error as the API's JSON body; a response already under way is cut instead, so that nothing looks whole. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = renderError(error);
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headersOf(error),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Refuses an upgrade with an ordinary HTTP answer, as every client expects it. Spec section 1.8. */
export function refuseUpgrade(
  socket: Duplex,
  error: unknown,
  headers: Readonly<Record<string, string>>,
): number {
  const { status, body } = renderError(error);
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    ...Object.entries({ ...headers, ...headersOf(error) }).map(([name, value]) => `${name}: ${value}`),
  ];
  if (socket.writable) socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
  return status;
}

/** Headers that belong to an error. */
export function headersOf(error: unknown): Readonly<Record<string, string>> {
  return error instanceof RateError ? error.headers : {};
}

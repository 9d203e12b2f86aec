import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { renderError, SpriteError } from '@sprites/contract/errors';

/** Headers of every answer that concerns this sprite. */
export type SpriteHeaders = Readonly<Record<string, string>>;

/** Answers with JSON; a HEAD request gets the headers only. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

/** Answers with the error's status and body; when the answer has begun, all that is left is to cut it off. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = renderError(error);
  sendJson(response, status, body);
}

/** Refuses an upgrade by an ordinary answer, which clients read as their structured error. Spec section 1.8. */
export function refuseUpgrade(socket: Duplex, error: unknown, headers: SpriteHeaders): void {
  const { status, body } = renderError(error);
  endWithJson(socket, `${status} ${body.error}`, body, headers);
}

/** Writes a whole answer to a bare socket and closes it. */
export function endWithJson(socket: Duplex, statusLine: string, body: object, headers: SpriteHeaders): void {
  if (!socket.writable) return;
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${statusLine}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
}

/** Reads a short request body as JSON. Throws `invalid_request` and `request_too_large`. */
export async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const body = await readBody(request, limitBytes);
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new SpriteError('invalid_request', 'the body is no valid json', { cause });
  }
}

/** Reads a short request body as text. Throws `request_too_large` beyond `limitBytes`. */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    const bytes: Buffer = part;
    size += bytes.length;
    if (size > limitBytes) throw new SpriteError('request_too_large', `the body exceeds ${limitBytes} bytes`);
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}

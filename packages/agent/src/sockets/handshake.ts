import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';
import { sha1Base64 } from './sha1.ts';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Checks that a request is a WebSocket handshake we can answer. Throws `invalid_request`. RFC 6455 section 4. */
export function checkHandshake(request: IncomingMessage): void {
  const { upgrade, 'sec-websocket-key': key, 'sec-websocket-version': version } = request.headers;
  if (request.method !== 'GET' || upgrade?.toLowerCase() !== 'websocket') {
    throw new SpriteError('invalid_request', 'only a websocket upgrade by GET is answered here');
  }
  if (typeof key !== 'string' || !/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    throw new SpriteError('invalid_request', 'the sec-websocket-key header is missing or malformed');
  }
  if (version !== '13') throw new SpriteError('invalid_request', 'only websocket version 13 is supported');
}

/** Answers a checked handshake. No subprotocol and no compression is ever agreed on. */
export function acceptHandshake(
  request: IncomingMessage,
  socket: Duplex,
  headers: Readonly<Record<string, string>>,
): void {
  const accept = sha1Base64(`${request.headers['sec-websocket-key']}${guid}`);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

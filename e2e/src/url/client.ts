import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { testServer } from '../server.ts';

/** An answer as it came over the wire. */
export type RawAnswer = {
  readonly status: number;
  /** lower-case names, the last value of each */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Host name, with the port, of a sprite's URL. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Opens a connection to the server's port, whatever the host in the URL resolves to. */
export function open(): Socket {
  const { hostname, port } = new URL(testServer().baseURL);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => socket.destroy());
  return socket;
}

/** Sends bytes exactly as given and returns everything that comes until the other side ends, or for `forMs` at most. */
export async function exchange(text: string | readonly string[], forMs = 10_000): Promise<string> {
  const socket = open();
  const parts: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => parts.push(bytes));
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('end', () => resolve());
  });
  for (const piece of typeof text === 'string' ? [text] : text) {
    socket.write(piece, 'latin1');
    if (typeof text !== 'string') await delay(20);
  }
  await Promise.race([ended, delay(forMs)]);
  socket.destroy();
  return Buffer.concat(parts).toString('latin1');
}

/** Sends a request that ends its connection and reads the one answer. */
export async function send(
  host: string,
  request: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<RawAnswer> {
  const { method = 'GET', path = '/', headers = {}, body = '' } = request;
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return parse(await exchange(`${lines.join('\r\n')}\r\n\r\n${body}`, 40_000));
}

/** Reads an answer of which the body is the rest. */
export function parse(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) };
}

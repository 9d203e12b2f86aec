import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { ServerUnderTest } from './server.ts';

/** An answer of the API, its JSON parsed. */
export type Answer = {
  readonly status: number;
  /** member `error` of the body */
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly requestId: string | undefined;
};

export type CallOptions = {
  readonly token?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends one request exactly as written. */
export async function call(
  server: ServerUnderTest,
  method: string,
  path: string,
  { token = server.token, body, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const url = new URL(server.baseURL);
  return await new Promise((resolve, reject) => {
    const sent = request(
      {
        host: url.hostname,
        port: url.port,
        method,
        path,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (bytes: Buffer) => parts.push(bytes));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            ...errorOf(Buffer.concat(parts).toString()),
            requestId: response.headers['x-request-id']?.toString(),
          }),
        );
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Asks for a WebSocket: the open socket, or the refusal. */
export async function upgrade(
  server: ServerUnderTest,
  path: string,
): Promise<{ readonly socket: Socket } | { readonly refusal: Answer }> {
  const url = new URL(server.baseURL);
  return await new Promise((resolve, reject) => {
    const sent = request({
      host: url.hostname,
      port: url.port,
      path,
      headers: {
        authorization: `Bearer ${server.token}`,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64'),
      },
    });
    sent.once('error', reject);
    sent.once('upgrade', (_response, socket: Socket) => resolve({ socket }));
    sent.once('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (bytes: Buffer) => parts.push(bytes));
      response.once('end', () =>
        resolve({
          refusal: {
            status: response.statusCode ?? 0,
            ...errorOf(Buffer.concat(parts).toString()),
            requestId: response.headers['x-request-id']?.toString(),
          },
        }),
      );
    });
    sent.end();
  });
}

function errorOf(text: string): Pick<Answer, 'code' | 'message'> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: an answer without an error in it, or one that breaks the contract; the caller's expectation tells.
    body = undefined;
  }
  return { code: member(body, 'error'), message: member(body, 'message') };
}

function member(body: unknown, key: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Reflect.get(body, key);
  return typeof value === 'string' ? value : undefined;
}

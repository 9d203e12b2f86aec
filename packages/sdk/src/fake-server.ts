import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { SpritesClient } from './client.ts';
import type { ClientOptions } from './options.ts';

type Script = {
  /** answers plain requests */
  readonly http?: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  /** plays the server's side of a WebSocket */
  readonly socket?: (socket: WebSocket, url: URL, request: IncomingMessage) => void;
  /** refuses an upgrade with a status and JSON body instead */
  readonly refuse?: (url: URL) => { readonly status: number; readonly body: unknown } | undefined;
};

/** A scripted server on a port of its own, and a client of it; disposing ends both. */
export async function openFakeServer(
  script: Script,
  options: ClientOptions = {},
): Promise<AsyncDisposable & { readonly client: SpritesClient; readonly upgrades: readonly string[] }> {
  const upgrades: string[] = [];
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    script.http?.(request, response, Buffer.concat(chunks).toString());
  });
  server.on('upgrade', (request, stream: Duplex, head) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    upgrades.push(url.pathname);
    const refusal = script.refuse?.(url);
    if (refusal !== undefined) {
      const body = JSON.stringify(refusal.body);
      stream.end(
        `HTTP/1.1 ${refusal.status} Refused\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => script.socket?.(socket, url, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the fake server has no port');
  return {
    client: new SpritesClient('a/b/c/d', { baseURL: `http://127.0.0.1:${address.port}`, ...options }),
    upgrades,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The text with which a server begins every session. */
export function sessionInfo(fields: Readonly<Record<string, unknown>> = {}): string {
  const info = { session_id: '7', command: 'x', created: 1, cols: 0, rows: 0, is_owner: true, tty: false };
  return JSON.stringify({ type: 'session_info', ...info, ...fields });
}

/** Ends a session as a server does. */
export function endSession(socket: WebSocket, exitCode: number): void {
  socket.send(Uint8Array.of(3, exitCode));
  socket.send(JSON.stringify({ type: 'exit', exit_code: exitCode, code: exitCode }));
  socket.close(1000);
}

/** A message of stdout or stderr. */
export function output(id: 1 | 2, text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(id), Buffer.from(text)]);
}

import type { IncomingMessage } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import { WebSocket } from 'ws';
import { createDeferred } from '../deferred.ts';
import { ConnectionError, parseAPIError } from '../errors.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Socket, SocketAddress, SocketHandlers } from './socket.ts';

/** A cold sprite may have to be started before the upgrade is answered. */
const handshakeTimeoutMs = 120_000;
/** Largest message taken from a server; ours sends 32 KiB at most. */
const maxPayloadBytes = 16 * 1_048_576;
const maxRefusalBytes = 65_536;
const pingIntervalMs = 15_000;
const silenceLimitMs = 45_000;

/**
 * Opens a WebSocket with the `ws` package. A refusal is an APIError, an unreachable server a ConnectionError. Node's own WebSocket is not used: it hides the answer of a refused upgrade,
 * cannot be paused, and carries output a third slower.
 */
export function openWsSocket(address: SocketAddress, handlers: SocketHandlers): Promise<Socket> {
  const { promise, resolve, reject } = createDeferred<Socket>();
  const { signal } = address;
  if (signal?.aborted) return Promise.reject(signal.reason);
  const ws = new WebSocket(socketURL(address.url), {
    headers: { authorization: `Bearer ${address.token}` },
    perMessageDeflate: false,
    handshakeTimeout: handshakeTimeoutMs,
    maxPayload: maxPayloadBytes,
    skipUTF8Validation: true,
  });
  const abort = (): void => {
    reject(signal?.reason);
    ws.terminate();
  };
  signal?.addEventListener('abort', abort, { once: true });
  let net: NetSocket | undefined;
  let failure: Error | undefined;
  ws.once('upgrade', (response) => {
    net = response.socket;
  });
  ws.once('unexpected-response', (request, response) => {
    readRefusal(response)
      .then(reject, reject)
      .finally(() => request.destroy());
  });
  ws.on('error', (error) => {
    failure = error;
    reject(new ConnectionError('unreachable', describe(error, address.url), { cause: error }));
  });
  ws.on('message', (data, isBinary) => {
    if (isBinary) handlers.binary(toBytes(data));
    else handlers.text(toBytes(data).toString('utf8'));
  });
  ws.once('open', () => {
    signal?.removeEventListener('abort', abort);
    const stopWatch = watchSilence(ws);
    ws.once('close', (code, reason) => {
      stopWatch();
      handlers.close(code, reason.length > 0 ? reason.toString('utf8') : (failure?.message ?? ''));
    });
    resolve(toSocket(ws, net));
  });
  return promise;
}

function toSocket(ws: WebSocket, net: NetSocket | undefined): Socket {
  const writer = net === undefined ? undefined : new FrameWriter(net);
  return {
    send: (data, done) => {
      // `ws` writes each frame at once, so that those of the writer fit in between.
      const fits = typeof data !== 'string' && ws.readyState === WebSocket.OPEN;
      if (fits && writer !== undefined) writer.send(data, done);
      else ws.send(data, { binary: typeof data !== 'string' }, done);
    },
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    setReferenced: (referenced) => {
      if (referenced) net?.ref();
      else net?.unref();
    },
    close: (code) => {
      // a paused socket would never see the peer's close frame
      ws.resume();
      ws.close(code);
    },
  };
}

/** Pings, and ends a connection over which nothing came for 45 s although it was being read. */
function watchSilence(ws: WebSocket): () => void {
  let heardAt = performance.now();
  const hear = (): void => {
    heardAt = performance.now();
  };
  for (const event of ['message', 'ping', 'pong'] as const) ws.on(event, hear);
  const timer = setInterval(() => {
    if (ws.isPaused) hear();
    if (performance.now() - heardAt > silenceLimitMs) ws.terminate();
    else ws.ping();
  }, pingIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function readRefusal(response: IncomingMessage): Promise<Error> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxRefusalBytes) break;
  }
  const status = response.statusCode ?? 0;
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  return (
    parseAPIError(status, Buffer.concat(chunks).toString('utf8'), headers) ??
    new ConnectionError('protocol', `the server answered the upgrade with status ${status}`)
  );
}

function toBytes(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function socketURL(url: URL): URL {
  const address = new URL(url);
  address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return address;
}

function describe(error: Error, url: URL): string {
  // an AggregateError of several addresses has no text of its own
  return `cannot connect to ${url.host}: ${error.message || String(error.cause ?? error.name)}`;
}

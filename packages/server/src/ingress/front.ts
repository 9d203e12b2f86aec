import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '@sprites/core';
import { ClientConnection, type ClientConnectionDeps } from './client-connection.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** Time between two looks at what connections do, in `ms`. */
const sweepEveryMs = 1000;

export type TlsFiles = { readonly cert: Buffer; readonly key: Buffer };

export type FrontOptions = Omit<
  ClientConnectionDeps,
  'handOver' | 'handsOverLongHeads' | 'clientOf' | 'tick'
> & {
  readonly clock: Clock;
  /** the API's listener; it gets the connections whose requests are for the API */
  readonly api: HttpServer;
  readonly trusted: TrustedProxies;
  readonly tls: TlsFiles | undefined;
};

/** The one port of the server: looks at the host of each connection's request, and serves sprites or hands it to the API. */
export class Front {
  readonly server: Server;
  readonly #options: FrontOptions;
  readonly #open = new Set<ClientConnection>();
  /** those handed to the API as well, whose listener does not know all of them as it never listened itself */
  readonly #streams = new Set<Duplex>();
  readonly #tick: { nowMs: number };
  readonly #closing = new AbortController();

  constructor(options: FrontOptions) {
    this.#options = options;
    const { tls, clock } = options;
    this.#tick = { nowMs: clock.now() };
    const accept = (socket: Socket): void => this.#accept(socket);
    this.server =
      tls === undefined
        ? createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, accept)
        : createTlsServer({ ...tls, noDelay: true, keepAlive: true, minVersion: 'TLSv1.2' }, accept);
    void this.#sweep();
  }

  /** Serves a connection that came by way of the API's listener, beginning with `bytes`, as if it had come here. */
  adopt(stream: Duplex, from: Duplex, bytes: Buffer): void {
    this.#serve(stream, from, bytes);
  }

  /** Takes no more connections and ends those of clients that wait for nothing. */
  close(): void {
    this.#closing.abort(new Error('the server is closing'));
    this.server.close();
    for (const connection of this.#open) connection.close();
  }

  /** Ends what is left of all connections. */
  closeAll(): void {
    for (const connection of this.#open) connection.destroy();
    for (const stream of this.#streams) stream.destroy();
    this.#options.upstreams.closeAll();
  }

  #accept(socket: Socket): void {
    this.#serve(socket, socket, Buffer.alloc(0));
  }

  #serve(stream: Duplex, from: Duplex, bytes: Buffer): void {
    const { api, trusted, clock: _clock, ...deps } = this.#options;
    const connection = new ClientConnection(stream, {
      ...deps,
      tick: this.#tick,
      clientOf: trusted.clientsOf(from),
      // one that came from the API would only come back
      handsOverLongHeads: bytes.length === 0 && stream === from,
      handOver: (rest) => {
        if (rest.length > 0) stream.unshift(rest);
        api.emit('connection', stream);
      },
    });
    this.#open.add(connection);
    this.#streams.add(stream);
    stream.once('close', () => {
      this.#open.delete(connection);
      this.#streams.delete(stream);
    });
    if (bytes.length > 0) connection.begin(bytes);
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#closing;
    const { clock, upstreams } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(sweepEveryMs, signal).catch(() => {
        // the server is closing
      });
      const now = clock.now();
      this.#tick.nowMs = now;
      upstreams.sweep(now);
      for (const connection of this.#open) {
        connection.sweep(now);
        if (connection.isOver) this.#open.delete(connection);
      }
    }
  }
}

/** The head of a request that the API's listener has read, as it came. */
export function headOf({ method, url, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method ?? 'GET'} ${url ?? '/'} HTTP/1.1\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, 'latin1');
}

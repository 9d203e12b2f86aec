import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { SpriteError } from '@sprites/contract';
import { type Cidr, parseAddress, size } from '../address.ts';
import type { Log } from '../log.ts';
import { FrameReader, frame } from './framing.ts';
import type { DnsGuard } from './guard.ts';
import { parseQuery, queryLimitBytes } from './message.ts';
import type { Resolver } from './resolver.ts';

const port = 53;

/** most TCP connections of one sprite, and of all */
const connectionsPerClient = 16;
const connectionsTotal = 512;

/** how long a connection may be silent, in `ms` */
const idleMs = 10_000;

/** answers waiting in the UDP socket, in bytes; more are dropped, as UDP allows */
const sendQueueBytes = 1024 * 1024;

export type DnsProxyOptions = {
  readonly guard: DnsGuard;
  /** closed with the proxy */
  readonly resolver: Resolver;
  readonly gateway: string;
  readonly range: Cidr;
  readonly log: Log;
};

/**
 * The name server of the sprites: listens on the gateway address only, answers addresses of the range only, and passes
 * queries to the host's name servers.
 */
export class DnsProxy {
  readonly #options: DnsProxyOptions;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Map<Socket, string>();

  private constructor(options: DnsProxyOptions) {
    this.#options = options;
    this.#udp = createSocket({ type: 'udp4' });
    this.#tcp = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens, or throws `unavailable` when another name server holds the port. */
  static async open(options: DnsProxyOptions): Promise<DnsProxy> {
    const proxy = new DnsProxy(options);
    const { gateway, log } = options;
    try {
      proxy.#udp.bind({ address: gateway, port, exclusive: true });
      await once(proxy.#udp, 'listening');
      proxy.#tcp.listen({ host: gateway, port, exclusive: true });
      await once(proxy.#tcp, 'listening');
    } catch (cause) {
      await proxy.close();
      const remedy = 'stop the name server that listens on all addresses, or bind it to its own';
      throw new SpriteError('unavailable', `cannot listen on ${gateway} port ${port}: ${remedy}`, { cause });
    }
    proxy.#udp.on('message', (bytes, { address, port: from }) => void proxy.#datagram(bytes, address, from));
    proxy.#udp.on('error', (err) => log.warn({ err }, 'dns socket failed'));
    proxy.#tcp.on('error', (err) => log.warn({ err }, 'dns listener failed'));
    return proxy;
  }

  async close(): Promise<void> {
    this.#options.resolver.close();
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all([closed(this.#tcp), closed(this.#udp)]);
  }

  async #datagram(bytes: Uint8Array, address: string, from: number): Promise<void> {
    if (!this.#isClient(address)) return;
    const answer = await this.#options.guard.answer(address, parseQuery(bytes), 'udp');
    if (answer === undefined) return;
    try {
      if (this.#udp.getSendQueueSize() < sendQueueBytes)
        this.#udp.send(answer, from, address, () => undefined);
    } catch {
      // The proxy was closed while the answer was on its way.
    }
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const mine = [...this.#connections.values()].filter((each) => each === address).length;
    if (
      !this.#isClient(address) ||
      mine >= connectionsPerClient ||
      this.#connections.size >= connectionsTotal
    ) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, address);
    socket.on('close', () => this.#connections.delete(socket));
    // A client that goes away is not an event worth more than its close.
    socket.on('error', () => undefined);
    socket.setTimeout(idleMs, () => socket.destroy());
    void this.#serve(socket, address);
  }

  /** Answers one query after the other: a client that does not read its answers gets no more of them. */
  async #serve(socket: Socket, address: string): Promise<void> {
    const reader = new FrameReader(queryLimitBytes);
    const { guard } = this.#options;
    try {
      await pipeline(
        socket,
        async function* (chunks: AsyncIterable<Uint8Array>) {
          for await (const chunk of chunks) {
            for (const message of reader.push(chunk)) {
              const answer = await guard.answer(address, parseQuery(message), 'tcp');
              if (answer !== undefined) yield frame(answer);
            }
            if (reader.broken) return;
          }
        },
        socket,
      );
    } catch {
      // Reset by the client, or destroyed by the time limit.
    } finally {
      socket.destroySoon();
    }
  }

  #isClient(address: string): boolean {
    const { range, gateway } = this.#options;
    const value = parseAddress(address);
    return (
      value !== undefined && address !== gateway && value >= range.base && value < range.base + size(range)
    );
  }
}

function closed(listener: { close(done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    try {
      listener.close(() => resolve());
    } catch {
      // It was not open.
      resolve();
    }
  });
}

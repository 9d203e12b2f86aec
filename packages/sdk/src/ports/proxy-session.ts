import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Sprite } from '../sprite.ts';
import type { ProxyMapping } from './port-options.ts';
import { connectPort } from './tunnel.ts';

const localHost = '127.0.0.1';

/** What a proxied port tells. */
export type ProxySessionEvents = {
  /** one connection could not be made; the others go on */
  error: [Error];
  close: [];
};

/** A port of this machine whose connections go to a port in the sprite. The sprite is used, and woken, by connections only. */
export class ProxySession extends EventEmitter<ProxySessionEvents> {
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly #sprite: Sprite;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #closed = false;

  private constructor(sprite: Sprite, { remoteHost = 'localhost', remotePort }: ProxyMapping) {
    super();
    this.#sprite = sprite;
    this.remoteHost = remoteHost;
    this.remotePort = remotePort;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void this.#serve(socket));
  }

  /** Begins to listen on this machine. Rejects, with code `EADDRINUSE`, when the port is taken. */
  static async listen(sprite: Sprite, mapping: ProxyMapping): Promise<ProxySession> {
    const session = new ProxySession(sprite, mapping);
    session.#server.listen(mapping.localPort, localHost);
    await once(session.#server, 'listening');
    return session;
  }

  /** Listens for several ports; when one fails, none stays. */
  static async listenAll(sprite: Sprite, mappings: readonly ProxyMapping[]): Promise<ProxySession[]> {
    const sessions: ProxySession[] = [];
    try {
      for (const mapping of mappings) sessions.push(await ProxySession.listen(sprite, mapping));
      return sessions;
    } catch (error) {
      for (const session of sessions) session.close();
      throw error;
    }
  }

  /** The port of this machine. */
  get localPort(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  localAddr(): string {
    return `${localHost}:${this.localPort}`;
  }

  /** Ends it with all its connections; twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    this.emit('close');
  }

  /** Resolves when it is closed. */
  async wait(): Promise<void> {
    if (!this.#closed) await once(this, 'close');
  }

  async #serve(socket: Socket): Promise<void> {
    this.#open.add(socket);
    const gone = new AbortController();
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#open.delete(socket);
      gone.abort();
    });
    try {
      const target = { host: this.remoteHost, port: this.remotePort, signal: gone.signal };
      const tunnel = await connectPort(this.#sprite, target);
      tunnel.on('error', () => socket.destroy());
      socket.once('close', () => tunnel.destroy());
      socket.pipe(tunnel).pipe(socket);
    } catch (error) {
      socket.destroy();
      const isOurs = gone.signal.aborted && this.#closed;
      if (!isOurs && this.listenerCount('error') > 0) {
        this.emit('error', error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}

import type { Duplex } from 'node:stream';
import { FileError, type FileEvent, parseWatchRequest, type WatchRequest } from '@sprites/contract/files';
import { WebSocket } from '../sockets/web-socket.ts';
import type { FileThread } from './file-thread.ts';

const largestTextBytes = 1024 * 1024;
const mostSubscriptions = 32;
/** Messages that wait to leave, in bytes; beyond it events are gathered, and at last reported as lost. */
const mostWaitingBytes = 64 * 1024;

/** One client that watches files: its subscriptions live as long as the connection, or until it takes them back. */
export class WatchSocket {
  readonly #files: FileThread;
  readonly #socket: Duplex;
  readonly #webSocket: WebSocket;
  readonly #subscriptions = new Map<AbortController, readonly string[]>();

  constructor(files: FileThread, socket: Duplex) {
    this.#files = files;
    this.#socket = socket;
    this.#webSocket = new WebSocket(
      socket,
      {
        onBinary: () => {},
        onText: (text) => this.#takeText(text),
        onSent: () => {},
        onClosed: () => {
          for (const subscription of this.#subscriptions.keys()) subscription.abort();
        },
      },
      largestTextBytes,
    );
  }

  #takeText(text: string): void {
    try {
      const request = parseWatchRequest(text);
      if (request.type === 'unsubscribe') this.#unsubscribe(request);
      else if (this.#subscriptions.size < mostSubscriptions) void this.#subscribe(request);
      else throw new FileError('EINVAL', '', `a connection can have ${mostSubscriptions} subscriptions`);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #subscribe({ paths, recursive }: WatchRequest): Promise<void> {
    const subscription = new AbortController();
    this.#subscriptions.set(
      subscription,
      paths.map(({ given }) => given),
    );
    try {
      const pieces = this.#files.run('watch', { paths, recursive }, subscription.signal);
      for await (const events of pieces) await this.#send(events);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#subscriptions.delete(subscription);
    }
  }

  #unsubscribe({ paths }: WatchRequest): void {
    const given = new Set(paths.map((one) => one.given));
    for (const [subscription, watched] of this.#subscriptions) {
      if (watched.every((path) => given.has(path))) subscription.abort();
    }
  }

  async #send(events: readonly FileEvent[]): Promise<void> {
    this.#webSocket.together(() => {
      for (const event of events) this.#webSocket.sendJson(event);
    });
    if (this.#socket.writableLength < mostWaitingBytes || this.#socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once('drain', resolve);
    this.#socket.once('close', resolve);
    await promise;
    this.#socket.off('drain', resolve);
    this.#socket.off('close', resolve);
  }

  #fail(error: unknown): void {
    if (!(error instanceof FileError)) console.error('watching files failed:', error);
    const message = error instanceof FileError ? error.message : 'watching failed';
    this.#webSocket.sendJson({ type: 'error', message } satisfies FileEvent);
  }
}

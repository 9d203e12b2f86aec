import { createDeferred, type Deferred } from '../deferred.ts';
import { ConnectionError } from '../errors.ts';
import type { Socket, SocketAddress } from './socket.ts';
import { openWsSocket } from './ws-socket.ts';

/** Events that wait to be read; beyond it the server is made to wait. */
const mostWaiting = 1000;

/** What a server tells over a WebSocket. Read it with `for await` or `next()`; leaving the loop or `close()` ends it. */
export class SocketStream<T> implements AsyncIterable<T> {
  readonly #parse: (text: string) => T | undefined;
  readonly #waiting: T[] = [];
  #socket: Socket | undefined;
  #reader: Deferred<T | null> | undefined;
  #failure: Error | undefined;
  #done = false;

  private constructor(parse: (text: string) => T | undefined) {
    this.#parse = parse;
  }

  /** Connects, and sends `greeting` first. */
  static async open<T>(
    address: SocketAddress,
    parse: (text: string) => T | undefined,
    greeting?: object,
  ): Promise<SocketStream<T>> {
    const stream = new SocketStream(parse);
    const socket = await openWsSocket(address, {
      text: (text) => stream.#take(text),
      binary: () => undefined,
      close: (code, reason) => stream.#end(code, reason),
    });
    stream.#socket = socket;
    if (greeting !== undefined) socket.send(JSON.stringify(greeting));
    return stream;
  }

  /** The next event, or null at the end. */
  next(): Promise<T | null> {
    const event = this.#waiting.shift();
    if (event !== undefined) {
      if (this.#waiting.length === 0) this.#socket?.resume();
      return Promise.resolve(event);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#done) return Promise.resolve(null);
    this.#reader ??= createDeferred<T | null>();
    return this.#reader.promise;
  }

  /** Ends the connection; twice is fine. */
  close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#socket?.close(1000);
    this.#reader?.resolve(null);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (let event = await this.next(); event !== null; event = await this.next()) yield event;
    } finally {
      this.close();
    }
  }

  #take(text: string): void {
    const event = this.#done ? undefined : this.#parse(text);
    if (event === undefined) return;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) reader.resolve(event);
    else this.#waiting.push(event);
    if (this.#waiting.length >= mostWaiting) this.#socket?.pause();
  }

  #end(code: number, reason: string): void {
    if (this.#done) return;
    this.#done = true;
    if (code !== 1000) {
      const why = reason === '' ? `code ${code}` : `code ${code}: ${reason}`;
      this.#failure = new ConnectionError('closed', `the connection ended (${why})`);
    }
    if (this.#failure === undefined) this.#reader?.resolve(null);
    else this.#reader?.reject(this.#failure);
  }
}

import { Duplex } from 'node:stream';
import { endMessage, endpoints, isEndMessage, parseProxyAnswer } from '@sprites/contract';
import { createDeferred } from '../deferred.ts';
import { ConnectionError } from '../errors.ts';
import { endpointURL } from '../http/request.ts';
import type { Socket } from '../socket/socket.ts';
import { openWsSocket } from '../socket/ws-socket.ts';
import type { Sprite } from '../sprite.ts';
import type { ConnectPortOptions } from './port-options.ts';

/** How long the sprite may take to connect, in `ms`. */
const answerTimeoutMs = 15_000;

/** Connects to a TCP port from inside the sprite, which it wakes. Rejects when nobody listens there. */
export async function connectPort(sprite: Sprite, options: ConnectPortOptions): Promise<Duplex> {
  const { host = 'localhost', port, signal } = options;
  const tunnel = new Tunnel();
  const { baseURL, token } = sprite.client;
  const url = endpointURL(baseURL, endpoints.proxy, { name: sprite.name });
  const socket = await openWsSocket({ url, token, signal }, tunnel.handlers);
  await tunnel.begin(socket, { host, port, half_close: true });
  return tunnel;
}

/** The client's end of a connection through the sprite. Each direction ends by itself, as with TCP. */
class Tunnel extends Duplex {
  readonly #answer = createDeferred<void>();
  #socket: Socket | undefined;
  #isOpen = false;
  #halfClose = false;
  #isOver = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  readonly handlers = {
    text: (text: string): void => this.#takeText(text),
    binary: (data: Uint8Array): void => {
      if (data.length > 0 && this.#isOpen && !this.push(data)) this.#socket?.pause();
    },
    close: (code: number, reason: string): void => this.#takeClose(code, reason),
  };

  async begin(socket: Socket, request: object): Promise<void> {
    this.#socket = socket;
    socket.send(JSON.stringify(request));
    const timer = setTimeout(
      () =>
        this.#answer.reject(
          new ConnectionError('timeout', 'the sprite did not say whether it could connect'),
        ),
      answerTimeoutMs,
    );
    try {
      await this.#answer.promise;
    } catch (error) {
      this.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#isOver) done(new ConnectionError('closed', 'the other end has closed the connection'));
    else this.#socket?.send(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#isOver) done();
    else if (this.#halfClose) this.#socket?.send(endMessage, done);
    else {
      this.#socket?.close(1000);
      done();
    }
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isOver = true;
    this.#socket?.close(1000);
    done(error);
  }

  #takeText(text: string): void {
    if (this.#isOpen) {
      if (isEndMessage(text)) this.push(null);
      return;
    }
    const answer = parseProxyAnswer(text);
    if (answer?.status === 'connected') {
      this.#isOpen = true;
      this.#halfClose = answer.half_close === true;
      this.#answer.resolve();
    } else {
      const reason = answer?.error || 'connection refused';
      this.#answer.reject(new ConnectionError('unreachable', `cannot connect: ${reason}`));
    }
  }

  #takeClose(code: number, reason: string): void {
    this.#isOver = true;
    const why = reason === '' ? `code ${code}` : reason;
    const failure = new ConnectionError('closed', `the connection was broken off (${why})`);
    this.#answer.reject(failure);
    if (this.destroyed) return;
    if (code !== 1000) this.destroy(failure);
    else if (!this.readableEnded) this.push(null);
  }
}

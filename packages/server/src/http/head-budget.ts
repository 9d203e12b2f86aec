import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type { Clock } from '@sprites/core';
import { refuseUpgrade } from './answer.ts';

/** time between two looks while heads may be on their way, in `ms` */
const lookEveryMs = 250;

/**
 * Bounds the memory of all heads of requests that are still arriving: each may be long, and nobody has shown a token yet.
 * When they are too much together, the longest are refused.
 */
export class HeadBudget {
  readonly #clock: Clock;
  readonly #mostBytes: number;
  /** connections on which a head may be arriving, with the bytes that had come before it */
  readonly #waiting = new Map<Socket, number>();
  readonly #requests = new WeakMap<Socket, number>();
  #isWatching = false;

  constructor(clock: Clock, mostBytes: number) {
    this.#clock = clock;
    this.#mostBytes = mostBytes;
  }

  /** Begins to look at a connection; those in memory, which come from inside a sprite, are bounded where they come from. */
  add(stream: Duplex): void {
    if (!(stream instanceof Socket)) return;
    stream.once('close', () => this.#waiting.delete(stream));
    this.#await(stream, stream.bytesRead - stream.readableLength);
  }

  /** The head is whole; the next one can begin when request and response are over. */
  take(request: IncomingMessage, response: ServerResponse): void {
    const socket: Duplex = request.socket;
    if (!(socket instanceof Socket)) return;
    this.#waiting.delete(socket);
    this.#requests.set(socket, (this.#requests.get(socket) ?? 0) + 1);
    const isOver = (): void => {
      const left = (this.#requests.get(socket) ?? 1) - 1;
      this.#requests.set(socket, left);
      if (left === 0 && !socket.destroyed) this.#await(socket, socket.bytesRead);
    };
    Promise.all([once(request, 'close'), once(response, 'close')]).then(isOver, isOver);
  }

  /** The connection does not carry requests any more, for now or for good. */
  release(stream: Duplex): void {
    if (stream instanceof Socket) this.#waiting.delete(stream);
  }

  #await(socket: Socket, bytesBefore: number): void {
    this.#waiting.set(socket, bytesBefore);
    if (!this.#isWatching) void this.#watch();
  }

  async #watch(): Promise<void> {
    this.#isWatching = true;
    while (this.#waiting.size > 0) {
      await this.#clock.sleep(lookEveryMs);
      this.#refuseTooMuch();
    }
    this.#isWatching = false;
  }

  #refuseTooMuch(): void {
    const sizes = [...this.#waiting].map(([socket, before]) => ({
      socket,
      bytes: socket.bytesRead - before,
    }));
    let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= this.#mostBytes) return;
    for (const { socket, bytes } of sizes.toSorted((a, b) => b.bytes - a.bytes)) {
      if (total <= this.#mostBytes) return;
      total -= bytes;
      const message = 'too many long headers are on their way at once; send less in the query, or try again';
      refuseUpgrade(socket, new SpriteError('unavailable', message), {});
      socket.destroySoon();
      this.#waiting.delete(socket);
    }
  }
}

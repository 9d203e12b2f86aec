import type { Duplex } from 'node:stream';
import type { ByteReader } from '@sprites/core';

/** Most unused connections kept to one sprite. */
const mostIdle = 64;
/** How long an unused connection is kept, in `ms`. */
const keepIdleMs = 15_000;

/** How much is read from a program at once, in bytes. */
const readBytes = 64 * 1024;

/** Who uses a connection at the moment. */
export type UpstreamUser = {
  /** The bytes are overwritten by the next read unless `keepBytes` is called. */
  data(bytes: Buffer): void;
  drain(): void;
  /** the program in the sprite will send no more, or the connection is gone */
  ended(): void;
};

/** A connection to a program in a sprite. It is used for one request after the other, or kept for a later one. */
export class Upstream {
  readonly stream: Duplex;
  /** true when a request was answered on it before */
  isReused = false;
  readonly #memory: ReadMemory;
  #user: UpstreamUser | undefined;
  readonly #onDrain = (): void => this.#user?.drain();
  readonly #onEnd = (): void => this.#end();

  private constructor(stream: Duplex, memory: ReadMemory) {
    this.stream = stream;
    this.#memory = memory;
    stream.on('drain', this.#onDrain);
    stream.on('end', this.#onEnd);
    stream.on('error', () => stream.destroy());
    stream.on('close', this.#onEnd);
  }

  /** Opens a connection whose bytes are read into memory that is used again and again. */
  static async open(connect: (reader: ByteReader) => Promise<Duplex>): Promise<Upstream> {
    const memory = new ReadMemory();
    let upstream: Upstream | undefined;
    const take = (length: number): void => {
      if (upstream !== undefined) upstream.#take(memory.read(length));
    };
    upstream = new Upstream(await connect({ memory: () => memory.next(), take }), memory);
    return upstream;
  }

  /** Gives what comes from now on to `user`. */
  use(user: UpstreamUser): void {
    this.#user = user;
  }

  /** Leaves the bytes that were given last to whoever was given them. */
  keepBytes(): void {
    this.#memory.leave();
  }

  /** Nobody uses it any more. */
  release(): void {
    this.#user = undefined;
    this.isReused = true;
    // the client of the last answer may have been the slower one to the end
    if (this.stream.isPaused()) this.stream.resume();
  }

  /** Gives the connection up: it is a plain stream from now on. */
  detach(): Duplex {
    const { stream } = this;
    stream.off('drain', this.#onDrain);
    stream.off('end', this.#onEnd);
    stream.off('close', this.#onEnd);
    this.#user = { data: (bytes) => void stream.push(Buffer.from(bytes)), drain: () => {}, ended: () => {} };
    return stream;
  }

  #take(bytes: Buffer): void {
    // what nobody asked for cannot be told from the next answer
    if (this.#user === undefined) this.stream.destroy();
    else this.#user.data(bytes);
  }

  #end(): void {
    const user = this.#user;
    this.#user = undefined;
    if (user === undefined) this.stream.destroy();
    else user.ended();
  }
}

/** What one connection reads into. */
class ReadMemory {
  #bytes = Buffer.allocUnsafeSlow(readBytes);
  #isLeft = false;

  /** Memory for the next read. */
  next(): Buffer {
    if (this.#isLeft) this.#bytes = Buffer.allocUnsafeSlow(readBytes);
    this.#isLeft = false;
    return this.#bytes;
  }

  read(length: number): Buffer {
    return this.#bytes.subarray(0, length);
  }

  /** What was read is somebody's; it is not read into any more. */
  leave(): void {
    this.#isLeft = true;
  }
}

type Idle = { readonly upstream: Upstream; readonly port: number; readonly sinceMs: number };

/** Unused connections to programs in sprites, for the next request to the same port. */
export class Upstreams {
  readonly #idle = new Map<string, Idle[]>();

  /** The connection that was used last, or undefined; those to other ports of the sprite are not needed any more. */
  take(spriteId: string, port: number): Upstream | undefined {
    const idle = this.#idle.get(spriteId);
    for (let one = idle?.pop(); one !== undefined; one = idle?.pop()) {
      const { stream } = one.upstream;
      if (one.port === port && !stream.destroyed && stream.writable) return one.upstream;
      stream.destroy();
    }
    return undefined;
  }

  /** Keeps a connection that has answered a request completely. */
  keep(spriteId: string, port: number, upstream: Upstream, nowMs: number): void {
    upstream.release();
    const idle = this.#idle.get(spriteId) ?? [];
    if (idle.length === 0) this.#idle.set(spriteId, idle);
    if (idle.length >= mostIdle) upstream.stream.destroy();
    else idle.push({ upstream, port, sinceMs: nowMs });
  }

  /** Closes what was not used for some time; to be called from time to time. */
  sweep(nowMs: number): void {
    for (const [key, idle] of this.#idle) {
      const kept = idle.filter(({ upstream, sinceMs }) => {
        const isOld = nowMs - sinceMs > keepIdleMs;
        if (isOld) upstream.stream.destroy();
        return !isOld && !upstream.stream.destroyed;
      });
      if (kept.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, kept);
    }
  }

  /** Closes all unused connections to a sprite. */
  close(spriteId: string): void {
    for (const { upstream } of this.#idle.get(spriteId) ?? []) upstream.stream.destroy();
    this.#idle.delete(spriteId);
  }

  closeAll(): void {
    for (const idle of this.#idle.values()) for (const { upstream } of idle) upstream.stream.destroy();
    this.#idle.clear();
  }
}

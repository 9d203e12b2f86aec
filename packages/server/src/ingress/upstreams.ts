import type { Duplex } from 'node:stream';

/** Most unused connections kept to one port. */
const mostIdle = 64;
/** How long an unused connection is kept, in `ms`. */
const keepIdleMs = 15_000;

/** Who uses a connection at the moment. */
export type UpstreamUser = {
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
  #user: UpstreamUser | undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (bytes: Buffer) => {
      // what nobody asked for cannot be told from the next answer
      if (this.#user === undefined) stream.destroy();
      else this.#user.data(bytes);
    });
    stream.on('drain', () => this.#user?.drain());
    stream.on('end', () => this.#end());
    stream.on('error', () => stream.destroy());
    stream.on('close', () => this.#end());
  }

  /** Gives what comes from now on to `user`. */
  use(user: UpstreamUser): void {
    this.#user = user;
  }

  /** Nobody uses it any more. */
  release(): void {
    this.#user = undefined;
    this.isReused = true;
  }

  #end(): void {
    const user = this.#user;
    this.#user = undefined;
    if (user === undefined) this.stream.destroy();
    else user.ended();
  }
}

type Idle = { readonly upstream: Upstream; readonly sinceMs: number };

/** Unused connections to programs in sprites, for the next request to the same port. */
export class Upstreams {
  readonly #idle = new Map<string, Idle[]>();

  /** The connection that was used last, or undefined. */
  take(spriteId: string, port: number): Upstream | undefined {
    const idle = this.#idle.get(keyOf(spriteId, port));
    for (let one = idle?.pop(); one !== undefined; one = idle?.pop())
      if (!one.upstream.stream.destroyed && one.upstream.stream.writable) return one.upstream;
    return undefined;
  }

  /** Keeps a connection that has answered a request completely. */
  keep(spriteId: string, port: number, upstream: Upstream, nowMs: number): void {
    upstream.release();
    const key = keyOf(spriteId, port);
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    if (idle.length >= mostIdle) upstream.stream.destroy();
    else idle.push({ upstream, sinceMs: nowMs });
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
    for (const [key, idle] of this.#idle) {
      if (!key.startsWith(`${spriteId}:`)) continue;
      this.#idle.delete(key);
      for (const { upstream } of idle) upstream.stream.destroy();
    }
  }

  closeAll(): void {
    for (const idle of this.#idle.values()) for (const { upstream } of idle) upstream.stream.destroy();
    this.#idle.clear();
  }
}

function keyOf(spriteId: string, port: number): string {
  return `${spriteId}:${port}`;
}

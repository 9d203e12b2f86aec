import type { Duplex } from 'node:stream';
import type { Splice } from './splice.ts';

/** What is ended from outside as a splice is. */
export type Closable = Pick<Splice, 'done' | 'close'>;

/** The open splices of each sprite and the like, so that they end when their sprite does. */
export class Connections {
  readonly #bySprite = new Map<string, Set<Closable>>();
  readonly #streams = new Map<string, Set<Duplex>>();

  /** Keeps the splice until it is done. */
  add(spriteId: string, splice: Splice): void {
    void splice.done.then(this.enter(spriteId, splice));
  }

  /** Keeps something until the returned function is called. */
  enter(spriteId: string, one: Closable): () => void {
    const open = this.#bySprite.get(spriteId) ?? new Set();
    this.#bySprite.set(spriteId, open);
    open.add(one);
    return () => {
      open.delete(one);
      if (open.size === 0 && this.#bySprite.get(spriteId) === open) this.#bySprite.delete(spriteId);
    };
  }

  /** Keeps a stream to the sprite's agent until it is closed. */
  track(spriteId: string, stream: Duplex): void {
    const streams = this.#streams.get(spriteId) ?? new Set();
    this.#streams.set(spriteId, streams);
    streams.add(stream);
    stream.once('close', () => {
      streams.delete(stream);
      if (streams.size === 0 && this.#streams.get(spriteId) === streams) this.#streams.delete(spriteId);
    });
  }

  /** Ends all connections of a sprite; requests that have no answer yet are cut. */
  close(spriteId: string, code: number, reason: string): void {
    for (const splice of this.#bySprite.get(spriteId) ?? []) splice.close(code, reason);
    for (const stream of this.#streams.get(spriteId) ?? []) stream.destroy();
  }

  /** Ends all connections and waits until they are gone. */
  async closeAll(code: number, reason: string): Promise<void> {
    const all = [...this.#bySprite.values()].flatMap((splices) => [...splices]);
    for (const splice of all) splice.close(code, reason);
    await Promise.all(all.map((splice) => splice.done));
  }
}

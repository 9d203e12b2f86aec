import type { Splice } from './splice.ts';

/** The open splices of each sprite, so that they end when their sprite does. */
export class Connections {
  readonly #bySprite = new Map<string, Set<Splice>>();

  /** Keeps the splice until it is done. */
  add(spriteId: string, splice: Splice): void {
    const splices = this.#bySprite.get(spriteId) ?? new Set();
    this.#bySprite.set(spriteId, splices);
    splices.add(splice);
    void splice.done.then(() => {
      splices.delete(splice);
      if (splices.size === 0 && this.#bySprite.get(spriteId) === splices) this.#bySprite.delete(spriteId);
    });
  }

  /** Ends all connections of a sprite. */
  close(spriteId: string, code: number, reason: string): void {
    for (const splice of this.#bySprite.get(spriteId) ?? []) splice.close(code, reason);
  }

  /** Ends all connections and waits until they are gone. */
  async closeAll(code: number, reason: string): Promise<void> {
    const all = [...this.#bySprite.values()].flatMap((splices) => [...splices]);
    for (const splice of all) splice.close(code, reason);
    await Promise.all(all.map((splice) => splice.done));
  }
}

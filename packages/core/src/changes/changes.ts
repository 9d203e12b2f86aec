import type { SpriteRecord } from '../ports/store.ts';

/** Something happened to a sprite. */
export type Change =
  | { readonly type: 'changed'; readonly sprite: SpriteRecord }
  | { readonly type: 'deleted'; readonly sprite: SpriteRecord };

export type ChangeListener = (change: Change) => void;

/** Tells listeners of every change, in order and at once; a listener must not throw and must not wait. */
export class Changes {
  readonly #listeners = new Set<ChangeListener>();

  publish(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Calls the listener from now on; the returned function ends it. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

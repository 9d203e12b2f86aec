import { SpriteError } from '@sprites/contract';

export type OperationKind = 'checkpoint' | 'restore';

/** Keeps a sprite awake until the returned function is called. */
type Hold = (spriteId: string, hold: { readonly kind: 'operation'; readonly label: string }) => () => void;

/** Lets checkpoints of one sprite wait for each other, and lets a restore stand alone: what meets one is refused. */
export class Operations {
  readonly #underWay = new Map<string, { readonly kind: OperationKind; count: number }>();
  readonly #hold: Hold;

  constructor(lifecycle: { readonly hold: Hold }) {
    this.#hold = (spriteId, hold) => lifecycle.hold(spriteId, hold);
  }

  /** Runs work of a kind. Throws `operation_in_progress` when a restore is under way, or any work when this is one. */
  async run<T>(
    sprite: { readonly id: string; readonly name: string },
    kind: OperationKind,
    work: () => Promise<T>,
  ): Promise<T> {
    const current = this.#underWay.get(sprite.id);
    if (current !== undefined && (kind === 'restore' || current.kind === 'restore')) {
      const message = `a ${current.kind} of sprite ${sprite.name} is under way; try again when it has ended`;
      throw new SpriteError('operation_in_progress', message);
    }
    const entry = current ?? { kind, count: 0 };
    entry.count++;
    this.#underWay.set(sprite.id, entry);
    const release = this.#hold(sprite.id, { kind: 'operation', label: kind });
    try {
      return await work();
    } finally {
      release();
      entry.count--;
      if (entry.count === 0) this.#underWay.delete(sprite.id);
    }
  }
}

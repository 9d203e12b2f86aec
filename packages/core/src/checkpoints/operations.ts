import { SpriteError } from '@sprites/contract';

export type OperationKind = 'checkpoint' | 'restore' | 'upgrade';

/** Keeps a sprite awake until the returned function is called. */
type Hold = (spriteId: string, hold: { readonly kind: 'operation'; readonly label: string }) => () => void;

/** Lets checkpoints of one sprite wait for each other, and lets a restore or an upgrade stand alone: what meets one is refused. */
export class Operations {
  readonly #underWay = new Map<string, { readonly kind: OperationKind; count: number }>();
  readonly #hold: Hold;

  constructor(lifecycle: { readonly hold: Hold }) {
    this.#hold = (spriteId, hold) => lifecycle.hold(spriteId, hold);
  }

  isUnderWay(spriteId: string): boolean {
    return this.#underWay.has(spriteId);
  }

  /** Runs work of a kind. Throws `operation_in_progress` when a restore or an upgrade is under way, or any work when this is one. */
  async run<T>(
    sprite: { readonly id: string; readonly name: string },
    kind: OperationKind,
    work: () => Promise<T>,
  ): Promise<T> {
    const current = this.#underWay.get(sprite.id);
    if (current !== undefined && (kind !== 'checkpoint' || current.kind !== 'checkpoint')) {
      const message = `${current.kind === 'upgrade' ? 'an' : 'a'} ${current.kind} of sprite ${sprite.name} is under way; try again when it has ended`;
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

import { Turns } from '../lifecycle/turns.ts';
import type { Disks } from '../ports/disks.ts';
import type { Images } from '../ports/images.ts';
import type { InsideView, InsideViews } from '../ports/inside-views.ts';
import type { Log } from '../ports/log.ts';
import type { CheckpointRecord, SpriteRecord, Store } from '../ports/store.ts';

export type InsideDeps = {
  readonly store: Store;
  readonly disks: Disks;
  readonly images: Images;
  readonly insideViews: InsideViews;
  readonly log: Log;
};

/** How many of the checkpoints that users made are shown to the programs in their sprite. */
const mostShown = 5;

/**
 * Keeps what programs in a sprite can read at `/.sprite/checkpoints` in step with its checkpoints: the last five that
 * users made, and any that is held.
 */
export class InsideCheckpoints {
  readonly #deps: InsideDeps;
  readonly #turns = new Turns();
  /** sprite id → checkpoint ids, one entry per holder */
  readonly #held = new Map<string, readonly string[]>();

  constructor(deps: InsideDeps) {
    this.#deps = deps;
  }

  get isSupported(): boolean {
    return this.#deps.insideViews.isSupported;
  }

  /** Shows what there is now; nothing happens for a sprite without a machine. */
  async refresh(spriteId: string): Promise<void> {
    await this.#turns.take(spriteId, async () => {
      const sprite = await this.#deps.store.findSpriteById(spriteId);
      if (sprite === undefined) return;
      await this.#deps.insideViews.show(spriteId, await this.#choose(sprite));
    });
  }

  /** Begins to show what there is now. The sprite works without, so a failure is only noted. */
  refreshSoon(spriteId: string): void {
    this.refresh(spriteId).catch((error: unknown) => {
      this.#deps.log.error(
        { err: error, sprite: spriteId },
        'the checkpoints inside a sprite are not up to date',
      );
    });
  }

  /** Shows a checkpoint, whichever it is, until what this resolves to is disposed of. */
  async hold(spriteId: string, checkpointId: string): Promise<AsyncDisposable> {
    this.#held.set(spriteId, [...(this.#held.get(spriteId) ?? []), checkpointId]);
    const release = async (): Promise<void> => {
      const held = this.#held.get(spriteId) ?? [];
      const rest = held.toSpliced(held.indexOf(checkpointId), 1);
      if (rest.length === 0) this.#held.delete(spriteId);
      else this.#held.set(spriteId, rest);
      await this.refresh(spriteId);
    };
    try {
      await this.refresh(spriteId);
    } catch (error) {
      await release().catch(() => undefined);
      throw error;
    }
    return { [Symbol.asyncDispose]: release };
  }

  async #choose(sprite: SpriteRecord): Promise<readonly InsideView[]> {
    const good = (await this.#deps.store.listCheckpoints(sprite.id)).filter(({ health }) => health === '');
    const last = good.filter(({ isAuto }) => !isAuto).slice(-mostShown);
    const held = this.#held.get(sprite.id) ?? [];
    const chosen = good.filter((checkpoint) => last.includes(checkpoint) || held.includes(checkpoint.id));
    const views = await Promise.all(chosen.map((checkpoint) => this.#toView(sprite, checkpoint)));
    return views.filter((view) => view !== undefined);
  }

  /** Undefined when it was deleted just now, or its image is gone. */
  async #toView(sprite: SpriteRecord, checkpoint: CheckpointRecord): Promise<InsideView | undefined> {
    const image = await this.#deps.images.find(checkpoint.imageDigest ?? sprite.imageDigest);
    const files = await this.#deps.disks.listCheckpoints(sprite.id);
    if (image === undefined || !files.includes(checkpoint.id)) return undefined;
    const file = await this.#deps.disks.checkpointFile(sprite.id, checkpoint.id);
    return { id: checkpoint.id, file, imageFile: image.file, imageDigest: image.digest };
  }
}

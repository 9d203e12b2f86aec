import { SpriteError } from '@sprites/contract';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import { effectiveAuto } from '../sprites/auto-checkpoints.ts';
import type { CheckpointDeps } from './deps.ts';
import { findOutdated } from './prune.ts';
import { saveCheckpoint } from './save.ts';

/** Longest time between two looks at which sprites are due, in `ms`. */
const slowestMs = 20_000;
const fastestMs = 500;
/** Looks in the shortest interval that any sprite has. */
const looksPerInterval = 5;

/**
 * Saves sprites by themselves from time to time while their disks change, and removes automatic checkpoints that have had
 * their time. It neither wakes a sprite nor keeps it awake, and gives way to whatever a user asks for. `close` ends it.
 */
export class AutomaticCheckpoints {
  readonly #deps: CheckpointDeps;
  readonly #end = new AbortController();
  /** when a sprite that could not be saved is tried again */
  readonly #notBefore = new Map<string, number>();
  #loop: Promise<void> | undefined;

  constructor(deps: CheckpointDeps) {
    this.#deps = deps;
  }

  /** Looks from now on. */
  open(): void {
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#loop;
  }

  /** Saves what is due and removes what is outdated; resolves to the `ms` until the next look is due. */
  async look(): Promise<number> {
    const { everyS: usual } = this.#deps.settings.autoCheckpoints;
    let pauseMs = pauseFor(usual);
    for (const sprite of await this.#deps.store.listAllSprites()) {
      if (this.#end.signal.aborted) break;
      if (sprite.deletedAt !== undefined || this.#deps.operations.isUnderWay(sprite.id)) continue;
      const { everyS } = effectiveAuto(this.#deps.settings, sprite);
      pauseMs = Math.min(pauseMs, pauseFor(everyS));
      await this.#lookAt(sprite).catch((error: unknown) => {
        this.#deps.log.error({ err: error, sprite: sprite.name }, 'automatic checkpoints failed');
      });
    }
    return pauseMs;
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      const pauseMs = await this.look().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'automatic checkpoints failed');
        return slowestMs;
      });
      await clock.sleep(pauseMs, signal).catch(() => {
        // closed meanwhile
      });
    }
  }

  async #lookAt(sprite: SpriteRecord): Promise<void> {
    const { store, settings, clock } = this.#deps;
    const checkpoints = await store.listCheckpoints(sprite.id);
    if (await this.#isDue(sprite, checkpoints.at(-1))) await this.#save(sprite);
    const { keepHourly: hourly, keepDaily: daily } = effectiveAuto(settings, sprite);
    const outdated = findOutdated(await store.listCheckpoints(sprite.id), { hourly, daily }, clock.now());
    for (const id of outdated) await this.#remove(sprite, id);
  }

  async #isDue(sprite: SpriteRecord, newest: CheckpointRecord | undefined): Promise<boolean> {
    const { everyS } = effectiveAuto(this.#deps.settings, sprite);
    const now = this.#deps.clock.now();
    // what never ran is what it was made from
    if (everyS === 'off' || sprite.incarnation === 0) return false;
    if (now < (this.#notBefore.get(sprite.id) ?? 0)) return false;
    if (now - Date.parse(newest?.createdAt ?? sprite.createdAt) < everyS * 1000) return false;
    return newest === undefined || (await this.#deps.disks.hasChangedSince(sprite.id, newest.id));
  }

  async #save(sprite: SpriteRecord): Promise<void> {
    const { lifecycle, events, log, clock, settings } = this.#deps;
    try {
      await this.#alone(sprite.id, async () => {
        await saveCheckpoint(this.#deps, sprite.id, { cause: 'interval' });
      });
      this.#notBefore.delete(sprite.id);
    } catch (error) {
      if (error instanceof SpriteError && error.code === 'sprite_not_found') return;
      const { everyS } = effectiveAuto(settings, sprite);
      this.#notBefore.set(sprite.id, clock.now() + (everyS === 'off' ? 0 : everyS * 1000));
      const reason = error instanceof SpriteError ? error.message : 'its disk could not be copied';
      const running = lifecycle.isRunning(sprite.id);
      log.warn({ err: error, sprite: sprite.name, running }, 'an automatic checkpoint was not made');
      events.record(sprite.id, { type: 'warning', message: `no automatic checkpoint was made: ${reason}` });
    }
  }

  async #remove({ id: spriteId }: SpriteRecord, id: string): Promise<void> {
    const { store, disks } = this.#deps;
    await this.#alone(spriteId, async () => {
      const sprite = await store.findSpriteById(spriteId);
      const isInUse = [sprite?.sourceCheckpoint, sprite?.restoring?.to, sprite?.restoring?.undo].includes(id);
      if (sprite === undefined || isInUse) return;
      await store.removeCheckpoint(spriteId, id);
      await disks.removeCheckpoint(spriteId, id);
      this.#deps.storage.forget(spriteId);
    });
  }

  /** Does work on a disk unless a user's operation on it is under way; one that begins meanwhile waits and is not refused. */
  async #alone(spriteId: string, work: () => Promise<void>): Promise<void> {
    const { lifecycle, operations } = this.#deps;
    await lifecycle.exclusively(spriteId, async () => {
      if (!operations.isUnderWay(spriteId)) await work();
    });
  }
}

function pauseFor(everyS: number | 'off'): number {
  if (everyS === 'off') return slowestMs;
  return Math.min(slowestMs, Math.max(fastestMs, (everyS * 1000) / looksPerInterval));
}

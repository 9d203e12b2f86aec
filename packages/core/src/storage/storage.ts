import type { Clock } from '../ports/clock.ts';
import type { DiskStorage, Disks } from '../ports/disks.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';

export type StorageDeps = {
  readonly store: Store;
  readonly disks: Pick<Disks, 'measure'>;
  readonly clock: Clock;
  readonly log: Log;
};

type Entry = { readonly at: number; readonly storage: DiskStorage };

/** How old a measurement may be before it is taken again behind the answer, in `ms`. */
const freshMs = 10_000;
/** Time between two rounds over the sprites that run or were never measured, in `ms`. */
const roundMs = 60_000;

/**
 * Knows what disks and checkpoints cost. Sizes are measured off the way of requests and kept: one that is older than ten
 * seconds is answered as it is and taken again. `close` ends the rounds over all sprites.
 */
export class Storage {
  readonly #deps: StorageDeps;
  readonly #end = new AbortController();
  readonly #entries = new Map<string, Entry>();
  readonly #measuring = new Map<string, Promise<DiskStorage | undefined>>();
  #loop: Promise<void> | undefined;

  constructor(deps: StorageDeps) {
    this.#deps = deps;
  }

  /** Measures all sprites from now on, slowly, for those who read `all`. */
  open(): void {
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#loop;
  }

  /** What a sprite's disk and checkpoints cost; undefined when that takes longer than `patienceMs`, or cannot be known. */
  async read(spriteId: string, patienceMs: number): Promise<DiskStorage | undefined> {
    const entry = this.#entries.get(spriteId);
    if (entry !== undefined && this.#deps.clock.now() - entry.at < freshMs) return entry.storage;
    const measured = this.#measure(spriteId);
    if (entry !== undefined) return entry.storage;
    const done = new AbortController();
    const waited = this.#deps.clock.sleep(patienceMs, done.signal).catch(() => undefined);
    const storage = await Promise.race([measured, waited]);
    done.abort();
    return storage ?? undefined;
  }

  /** Forgets what was measured of a sprite, as it has changed: its next reader waits for the new sizes. */
  forget(spriteId: string): void {
    this.#entries.delete(spriteId);
    this.#measuring.delete(spriteId);
  }

  /** Everything that was measured, by sprite. */
  *all(): Iterable<readonly [string, DiskStorage]> {
    for (const [id, { storage }] of this.#entries) yield [id, storage];
  }

  #measure(spriteId: string): Promise<DiskStorage | undefined> {
    const before = this.#measuring.get(spriteId);
    if (before !== undefined) return before;
    const measuring = this.#deps.disks
      .measure(spriteId)
      .then((storage) => {
        // what was forgotten meanwhile is old already
        if (this.#measuring.get(spriteId) === measuring)
          this.#entries.set(spriteId, { at: this.#deps.clock.now(), storage });
        return storage;
      })
      .catch((error: unknown) => {
        if (!this.#end.signal.aborted)
          this.#deps.log.debug({ err: error, sprite: spriteId }, 'a disk could not be measured');
        return undefined;
      })
      .finally(() => {
        if (this.#measuring.get(spriteId) === measuring) this.#measuring.delete(spriteId);
      });
    this.#measuring.set(spriteId, measuring);
    return measuring;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await clock.sleep(roundMs, signal).catch(() => {
        // closed meanwhile
      });
      if (signal.aborted) return;
      await this.#round().catch((error: unknown) => log.error({ err: error }, 'disks could not be measured'));
    }
  }

  async #round(): Promise<void> {
    const sprites = (await this.#deps.store.listAllSprites()).filter(
      ({ deletedAt }) => deletedAt === undefined,
    );
    const ids = new Set(sprites.map(({ id }) => id));
    for (const id of this.#entries.keys()) if (!ids.has(id)) this.#entries.delete(id);
    for (const { id, status } of sprites) {
      if (this.#end.signal.aborted) return;
      if (status === 'running' || !this.#entries.has(id)) await this.#measure(id);
    }
  }
}

import type { HealthDeps } from '../checkpoints/health.ts';
import { describeRepair } from '../lifecycle/disk-damage.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { MountedDisks } from '../ports/mounted-disks.ts';

export type DiskWatchDeps = HealthDeps & {
  readonly mounted: Pick<MountedDisks, 'list'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Time between two looks at the disks of all machines, in `ms`. */
const lookEveryMs = 5000;

/** Tells the user when the file system of a running sprite finds damage in its disk. `close` ends it. */
export class DiskWatch {
  readonly #deps: DiskWatchDeps;
  readonly #end = new AbortController();
  readonly #told = new Set<string>();
  #loop: Promise<void> | undefined;

  constructor(deps: DiskWatchDeps) {
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

  /** Looks once. */
  async look(): Promise<void> {
    const { mounted, store, events, log } = this.#deps;
    const disks = mounted.list();
    const damaged = disks.filter(({ errorCount }) => errorCount > 0).map(({ spriteId }) => spriteId);
    // a machine that was started anew may have another disk
    for (const spriteId of this.#told) if (!damaged.includes(spriteId)) this.#told.delete(spriteId);
    for (const spriteId of damaged) {
      const sprite = await store.findSpriteById(spriteId);
      if (sprite === undefined || this.#told.has(spriteId)) continue;
      this.#told.add(spriteId);
      const repair = await describeRepair(this.#deps, sprite);
      log.error({ sprite: sprite.name }, 'the file system of a sprite found its disk damaged');
      events.record(spriteId, {
        type: 'warning',
        message: `its file system found damage and takes no writes; save what can be read, then ${repair}`,
      });
    }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await clock.sleep(lookEveryMs, signal).catch(() => {
        // closed meanwhile
      });
      if (signal.aborted) return;
      await this.look().catch((error: unknown) => log.error({ err: error }, 'disks could not be watched'));
    }
  }
}

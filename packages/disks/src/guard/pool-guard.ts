import type { Clock, Log, MountedDisk, MountedDisks } from '@sprites/core';
import { readDirtyBytes } from '@sprites/linux';
import { formatBytes } from '../bytes.ts';
import { type Levels, levelsOf } from './levels.ts';
import { shareSpace } from './share-space.ts';

/** What the guard must know of the pool, in bytes. */
export type GuardedSpace = { readonly freeBytes: number; readonly reserveBytes: number };

export type PoolGuardOptions = {
  readonly mounted: MountedDisks;
  readonly space: () => Promise<GuardedSpace>;
  /** bytes of all files on the host that wait in memory to be written */
  readonly dirtyBytes?: () => number;
  /** for people: who takes most of the pool */
  readonly largest: () => Promise<readonly object[]>;
  /** tells the user of a sprite, by its id */
  readonly tell?: (spriteId: string, message: string) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** bytes a millisecond that programs may write to memory, with a margin of two */
const memorySpeed = 8 * 1024 ** 2;
/** bytes a millisecond that reach a disk, with a margin of two */
const diskSpeed = 2 * 1024 ** 2;
const fastestMs = 20;
const slowestMs = 1000;
/** pause while disks are limited, so that returning space is soon shared */
const limitedMs = 250;
const leastUnwrittenBytes = 1024 ** 2;

/**
 * Keeps a pool from ever being so full that a write to a disk on it fails below its file system, which would cost the
 * sprite its journal. Near the end machines share what is left and then get `ENOSPC`; where that does not help, as with
 * blocks shared with a checkpoint that are overwritten, writes wait until space returns. `close` ends it.
 */
export class PoolGuard {
  readonly #options: Required<PoolGuardOptions>;
  readonly #end = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #frozen = new Set<string>();
  readonly #freezing = new Set<string>();
  #loop: Promise<void> | undefined;
  /** while what waits in memory is bounded; true from the start, as a server before this one may have left limits */
  #isBounding = true;
  #isSharing = false;
  #isWarned = false;
  #leastLeft = Number.POSITIVE_INFINITY;
  #written: ReadonlyMap<string, number> = new Map();

  constructor(options: PoolGuardOptions) {
    this.#options = { dirtyBytes: readDirtyBytes, tell: () => {}, ...options };
  }

  /** Guards from now on until `close`. */
  open(): void {
    this.#loop ??= this.#run();
  }

  /**
   * Ends the guard. Machines go on without it, so what is left is shared among them and nobody can use it up; disks that
   * are frozen stay so until the next server's guard, as no space has returned.
   */
  async close(): Promise<void> {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    await this.#loop;
    await Promise.allSettled(this.#work);
    const disks = this.#options.mounted.list();
    const shares = shareSpace(this.#spare(await this.#options.space(), disks), disks);
    for (const [index, disk] of disks.entries()) {
      this.#options.mounted.limit(disk, { growBytes: shares[index] ?? 0, unwrittenBytes: undefined });
    }
    if (this.#frozen.size > 0) {
      this.#options.log.error(
        { frozen: [...this.#frozen] },
        'disks stay frozen while no server runs; start it, or free space and thaw them',
      );
    }
  }

  /** Looks once and acts; resolves to the `ms` until the next look is due. */
  async look(): Promise<number> {
    const rough = await this.#options.space();
    const levels = levelsOf(rough.reserveBytes);
    this.#warn(rough);
    // What waits in memory may overwrite shared blocks, and then takes space that no limit of a disk refuses. Some of it
    // counts twice, as the pool knows of it: at worst what may wait is bounded early.
    const room = rough.freeBytes - this.#options.dirtyBytes() - levels.floor - levels.window;
    if (room > 0 && !this.#isBounding) return pauseFor(room / memorySpeed, slowestMs);
    // First the disks, then the pool: what is written in between counts for both.
    const disks = this.#options.mounted.list();
    const space = await this.#options.space();
    const spare = this.#spare(space, disks);
    this.#chooseSharing(space, spare, levels);
    this.#isBounding = this.#isSharing || room <= levels.window / 4;
    if (this.#isBounding) this.#limit(disks, spare, levels);
    else for (const { spriteId } of disks) this.#options.mounted.unlimit(spriteId);
    const left = spare + levels.floor;
    this.#freezeOrThaw(disks, left, levels);
    if (!this.#isBounding) return pauseFor(room / memorySpeed, slowestMs);
    return left < levels.stop ? limitedMs : pauseFor((left - levels.stop) / diskSpeed, limitedMs);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#end;
    while (!signal.aborted) {
      const pauseMs = await this.look().catch((error: unknown) => {
        log.error({ err: error }, 'the disk pool could not be looked after');
        return limitedMs;
      });
      await clock.sleep(pauseMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  /** Above the floor, after everything that was accepted already has its place. */
  #spare({ freeBytes, reserveBytes }: GuardedSpace, disks: readonly MountedDisk[]): number {
    const pending = disks.reduce((sum, disk) => sum + disk.pendingBytes, 0);
    return freeBytes - pending - levelsOf(reserveBytes).floor;
  }

  #chooseSharing(space: GuardedSpace, spare: number, { window }: Levels): void {
    const wasSharing = this.#isSharing;
    this.#isSharing = spare <= (wasSharing ? window * 1.25 : window);
    if (this.#isSharing === wasSharing) return;
    const { log } = this.#options;
    if (this.#isSharing) log.warn(facts(space), 'machines share what is left of the disk pool');
    else log.info(facts(space), 'machines may use the disk pool freely');
  }

  #limit(disks: readonly MountedDisk[], spare: number, levels: Levels): void {
    const unwrittenBytes = Math.max(leastUnwrittenBytes, Math.floor(levels.reserve / 16 / disks.length));
    const shares = shareSpace(this.#isSharing ? spare : Number.POSITIVE_INFINITY, disks);
    for (const [index, disk] of disks.entries()) {
      this.#options.mounted.limit(disk, { growBytes: shares[index] ?? 0, unwrittenBytes });
    }
  }

  #freezeOrThaw(disks: readonly MountedDisk[], left: number, levels: Levels): void {
    const busiest = this.#findBusiest(disks);
    const isFalling = left < this.#leastLeft;
    this.#leastLeft = left >= levels.resume ? Number.POSITIVE_INFINITY : Math.min(left, this.#leastLeft);
    if (left >= levels.resume) this.#thawAll();
    else if (left < levels.stop) for (const { spriteId } of disks) this.#freeze(spriteId, left);
    else {
      if (left < levels.pause && isFalling && busiest !== undefined) this.#freeze(busiest, left);
      // again: a repair may have thawed the disk, or the machine been started anew
      for (const spriteId of this.#frozen) this.#freeze(spriteId, left);
    }
  }

  /** Who wrote most since the last look and is not frozen. */
  #findBusiest(disks: readonly MountedDisk[]): string | undefined {
    const before = this.#written;
    this.#written = new Map(disks.map(({ spriteId, writtenBytes }) => [spriteId, writtenBytes]));
    const writers = disks
      .map(({ spriteId, writtenBytes }) => ({ spriteId, bytes: writtenBytes - (before.get(spriteId) ?? 0) }))
      .filter(({ spriteId, bytes }) => bytes > 0 && !this.#frozen.has(spriteId));
    return writers.sort((a, b) => b.bytes - a.bytes)[0]?.spriteId;
  }

  #freeze(spriteId: string, left: number): void {
    const isNew = !this.#frozen.has(spriteId);
    this.#frozen.add(spriteId);
    if (isNew) {
      this.#options.log.error(
        { sprite: spriteId, left: formatBytes(left) },
        'the disk pool is full: the writes of this sprite wait until space returns; destroy sprites or checkpoints',
      );
    }
    if (isNew) {
      const message = `the disk pool of the server is full: ${formatBytes(left)} left; writes wait until space returns`;
      this.#options.tell(spriteId, message);
    }
    if (this.#freezing.has(spriteId)) return;
    this.#freezing.add(spriteId);
    const freeze = async (): Promise<void> => {
      try {
        if (!(await this.#options.mounted.freeze(spriteId))) this.#frozen.delete(spriteId);
      } finally {
        this.#freezing.delete(spriteId);
      }
    };
    this.#own(freeze(), { sprite: spriteId });
  }

  #thawAll(): void {
    for (const spriteId of this.#frozen) {
      this.#options.log.warn({ sprite: spriteId }, 'the disk pool has space again: this sprite writes on');
      this.#own(this.#options.mounted.thaw(spriteId), { sprite: spriteId });
    }
    this.#frozen.clear();
  }

  /** Not awaited: a freeze first writes the disk out, and the others must be looked after meanwhile. */
  #own(work: Promise<void>, about: object): void {
    const owned = work
      .catch((error: unknown) => {
        this.#options.log.error({ ...about, err: error }, 'the guard of the disk pool failed');
      })
      .finally(() => this.#work.delete(owned));
    this.#work.add(owned);
  }

  #warn(space: GuardedSpace): void {
    if (space.freeBytes > space.reserveBytes * 1.25) this.#isWarned = false;
    if (space.freeBytes >= space.reserveBytes || this.#isWarned) return;
    this.#isWarned = true;
    const message = `the disk pool of the server is nearly full: ${formatBytes(space.freeBytes)} free; remove files or checkpoints`;
    for (const { spriteId } of this.#options.mounted.list()) this.#options.tell(spriteId, message);
    const { largest, log } = this.#options;
    const tell = async (): Promise<void> => {
      const found = await largest();
      log.warn(
        { ...facts(space), largest: found },
        'the disk pool is nearly full: no sprites and checkpoints are made; destroy some or give the host more disk space',
      );
    };
    this.#own(tell(), {});
  }
}

function facts({ freeBytes, reserveBytes }: GuardedSpace): object {
  return { free: formatBytes(freeBytes), reserve: formatBytes(reserveBytes) };
}

function pauseFor(ms: number, mostMs: number): number {
  return Math.max(fastestMs, Math.min(mostMs, ms));
}

import { readdirSync } from 'node:fs';
import type { GrowthLimits, MountedDisk, MountedDisks } from '@sprites/core';
import {
  boundDirtyBytes,
  freezeFileSystem,
  keepExt4Free,
  readExt4Growth,
  thawFileSystem,
} from '@sprites/linux';
import { FewAtOnce } from './few-at-once.ts';
import type { RunDir } from './run-dir.ts';

/** A freeze writes out the disk on one of libuv's few threads. */
const mostFreezesAtOnce = 2;

/** What takes its turn among the operations of a machine. */
type Turns = {
  /** true while an operation of the machine is under way or waits */
  readonly isBusy: (spriteId: string) => boolean;
  readonly run: (spriteId: string, work: () => Promise<void>) => Promise<void>;
};

/** The ext4 disks of all machines of a run directory, also of those an earlier server started. */
export class OciMountedDisks implements MountedDisks {
  readonly #runDir: RunDir;
  readonly #turns: Turns;
  readonly #freezes = new FewAtOnce(mostFreezesAtOnce);

  constructor(runDir: RunDir, turns: Turns) {
    this.#runDir = runDir;
    this.#turns = turns;
  }

  list(): readonly MountedDisk[] {
    return readdirSync(this.#runDir.disks).flatMap((spriteId) => {
      const growth = readExt4Growth(this.#path(spriteId));
      return growth === undefined ? [] : [{ spriteId, ...growth }];
    });
  }

  limit({ spriteId, freeBytes }: MountedDisk, { growBytes, unwrittenBytes }: GrowthLimits): void {
    const path = this.#path(spriteId);
    // measured from the listing: what the disk gave to files since then is part of what it may
    keepExt4Free(path, freeBytes - growBytes);
    boundDirtyBytes(path, unwrittenBytes);
  }

  unlimit(spriteId: string): void {
    const path = this.#path(spriteId);
    keepExt4Free(path, 0);
    boundDirtyBytes(path, undefined);
  }

  /** Not while an operation of the machine is under way: to stop one with a frozen disk would take for ever. */
  async freeze(spriteId: string): Promise<boolean> {
    return this.#freezes.run(async () => {
      if (this.#turns.isBusy(spriteId)) return false;
      await this.#turns.run(spriteId, async () => {
        await freezeFileSystem(this.#path(spriteId));
      });
      return true;
    });
  }

  async thaw(spriteId: string): Promise<void> {
    await this.#turns.run(spriteId, async () => {
      await thawFileSystem(this.#path(spriteId));
    });
  }

  #path(spriteId: string): string {
    return this.#runDir.machine(spriteId).disk;
  }
}

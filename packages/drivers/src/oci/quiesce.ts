import { listMounts, withFrozenFileSystem } from '@sprites/linux';
import type { MachineDir } from './run-dir.ts';

/** Writing out a disk takes one of libuv's few threads, and a sprite may have much to write. */
const mostAtOnce = 2;

/** Makes disks of machines stand still, a few at once. */
export class DiskQuiescence {
  readonly #waiting: (() => void)[] = [];
  #free = mostAtOnce;

  /**
   * Runs `work` while the machine's disk stands still; just runs it when the disk is not mounted. The disk of a machine
   * that has died is mounted until its release, with its newest data in memory only.
   */
  async run<T>(machine: MachineDir, work: () => Promise<T>): Promise<T> {
    const isMounted = (await listMounts()).some((entry) => entry.target === machine.disk);
    if (!isMounted) return work();
    await this.#enter();
    try {
      return await withFrozenFileSystem(machine.disk, work);
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The place goes to whoever waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

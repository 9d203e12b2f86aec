import { listMounts, withFrozenFileSystem } from '@sprites/linux';
import { FewAtOnce } from './few-at-once.ts';
import type { MachineDir } from './run-dir.ts';

/** Writing out a disk takes one of libuv's few threads, and a sprite may have much to write. */
const mostAtOnce = 2;

/** Makes disks of machines stand still, a few at once. */
export class DiskQuiescence {
  readonly #turns = new FewAtOnce(mostAtOnce);

  /**
   * Runs `work` while the machine's disk stands still; just runs it when the disk is not mounted. The disk of a machine
   * that has died is mounted until its release, with its newest data in memory only.
   */
  async run<T>(machine: MachineDir, work: () => Promise<T>): Promise<T> {
    const isMounted = (await listMounts()).some((entry) => entry.target === machine.disk);
    if (!isMounted) return work();
    return this.#turns.run(() => withFrozenFileSystem(machine.disk, work));
  }
}

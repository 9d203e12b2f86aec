import { readSync } from 'node:fs';
import { type BlockRun, Ext4Inodes, type FileStats, readAhead } from '@sprites/linux/look';

/** Larger files are read through the file system, which reads ahead as well, and knows of files with more extents. */
export const mostBlockBytes = 64 * 1024;
const nearBytes = 128 * 1024;

/**
 * Small files of a disk, read from the file that holds it. That spares opening each, and asking a loop device, which hands each
 * block to another thread. It must be a disk that was left in order; where it is in doubt, the answer is undefined.
 */
export class DiskBlocks {
  readonly #fd: number;
  readonly #inodes: Ext4Inodes;
  #ahead = { at: 0, end: 0 };

  constructor(fd: number) {
    this.#fd = fd;
    this.#inodes = new Ext4Inodes(fd);
  }

  /** Where a file lies that the kernel describes so. */
  find(stats: FileStats): readonly BlockRun[] | undefined {
    return stats.sizeBytes > mostBlockBytes ? undefined : this.#inodes.findBlocks(stats);
  }

  /** Has the kernel begin to read these and those that follow near them, at the latest with `flush`. */
  prepare(runs: readonly BlockRun[]): void {
    for (const { at, length } of runs) {
      if (at === undefined) continue;
      const { end } = this.#ahead;
      if (at < this.#ahead.at || at > end + nearBytes) {
        this.flush();
        this.#ahead = { at, end: at + length };
      } else this.#ahead.end = Math.max(end, at + length);
    }
  }

  flush(): void {
    const { at, end } = this.#ahead;
    if (end > at) readAhead(this.#fd, at, end - at);
    this.#ahead = { at: 0, end: 0 };
  }

  /** Reads a file of so many bytes to the start of a buffer; false when the kernel must be asked after all. */
  read(runs: readonly BlockRun[], sizeBytes: number, buffer: Buffer): boolean {
    let end = 0;
    for (const { start, length, at } of runs) {
      const wanted = Math.min(length, sizeBytes - start);
      if (wanted <= 0) break;
      buffer.fill(0, end, start);
      if (at === undefined) buffer.fill(0, start, start + wanted);
      else if (readSync(this.#fd, buffer, start, wanted, at) !== wanted) return false;
      end = start + wanted;
    }
    buffer.fill(0, end, sizeBytes);
    return true;
  }
}

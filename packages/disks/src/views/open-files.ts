import { closeSync, constants, openSync } from 'node:fs';
import { type BlockRun, readAhead } from '@sprites/linux/look';
import type { DiskBlocks } from './disk-blocks.ts';
import type { Entry } from './layered-tree.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const aheadBytes = 256 * 1024;
const mostOpen = 256;

/** Files of trees, found and read ahead some time before they are compared: the disks below answer many at once. */
export class OpenFiles implements Disposable {
  readonly #open = new Map<Entry, number>();
  readonly #placed = new Map<Entry, readonly BlockRun[]>();
  readonly #disks = new Set<DiskBlocks>();

  /** Has the kernel begin to read files that will be taken soon, before others are prepared. */
  prepare(entries: readonly Entry[]): void {
    this.#placed.clear();
    for (const entry of entries) this.#prepare(entry);
    for (const disk of this.#disks) disk.flush();
    this.#disks.clear();
  }

  /** The content of a prepared file, in the buffer; undefined when the file must be taken. */
  read({ entry, buffer }: { readonly entry: Entry; readonly buffer: Buffer }): Buffer | undefined {
    const runs = this.#placed.get(entry);
    const sizeBytes = Number(entry.stats.sizeBytes);
    if (runs === undefined || entry.disk?.read(runs, sizeBytes, buffer) !== true) return undefined;
    return buffer.subarray(0, sizeBytes);
  }

  /** A descriptor of the file, for the caller to close. */
  take(entry: Entry): number {
    const fd = this.#open.get(entry);
    this.#open.delete(entry);
    return fd ?? openFile(entry);
  }

  [Symbol.dispose](): void {
    while (this.#open.size > 0) this.#forgetOldest();
  }

  #prepare(entry: Entry): void {
    const { disk, stats } = entry;
    const runs = disk?.find(stats);
    if (disk !== undefined && runs !== undefined) {
      disk.prepare(runs);
      this.#disks.add(disk);
      this.#placed.set(entry, runs);
    } else this.#prepareOpen(entry);
  }

  #prepareOpen(entry: Entry): void {
    if (this.#open.size >= mostOpen) this.#forgetOldest();
    const fd = openFile(entry);
    this.#open.set(entry, fd);
    readAhead(fd, 0, aheadBytes);
  }

  #forgetOldest(): void {
    for (const [entry, fd] of this.#open) {
      this.#open.delete(entry);
      closeSync(fd);
      return;
    }
  }
}

/** Opens a file of a tree that cannot change, having seen that it is a file. */
export function openFile({ file }: Entry): number {
  return openSync(Buffer.from(file, 'latin1'), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

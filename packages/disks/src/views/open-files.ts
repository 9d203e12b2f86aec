import { closeSync, constants, openSync } from 'node:fs';
import { readAhead } from '@sprites/linux/look';
import type { Entry } from './layered-tree.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const aheadBytes = 256 * 1024;
const mostOpen = 256;

/** Files of trees, opened and read ahead some time before they are compared: the disks below answer many at once. */
export class OpenFiles implements Disposable {
  readonly #open = new Map<Entry, number>();

  /** Has the kernel begin to read a file that will be taken soon. */
  prepare(entry: Entry): void {
    if (this.#open.size >= mostOpen) this.#forgetOldest();
    const fd = openFile(entry);
    this.#open.set(entry, fd);
    readAhead(fd, aheadBytes);
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

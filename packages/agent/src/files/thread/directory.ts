import {
  closeSync,
  constants,
  type Dir,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  type Stats,
} from 'node:fs';
import { FileError } from '@sprites/contract/files';
import { attempt } from './attempt.ts';
import { type BytePath, join, toKernel, toText } from './byte-path.ts';
import { removeName } from './temporary-name.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Each level of a walk keeps a descriptor open. */
const deepestLevel = 1000;
const namesPerRead = 512;

/**
 * An open directory. Its entries are reached through its descriptor, so that nobody who swaps a part of the path for a
 * symlink meanwhile leads an operation elsewhere. Whoever opens it closes it.
 */
export class Directory {
  /** how clients know it */
  readonly path: BytePath;
  readonly fd: number;
  readonly #level: number;
  #closed = false;

  private constructor(fd: number, path: BytePath, level: number) {
    this.fd = fd;
    this.path = path;
    this.#level = level;
  }

  /** Opens a directory by path, through symlinks. */
  static open(path: BytePath): Directory {
    const fd = attempt(path, () => openSync(toKernel(path), O_RDONLY | O_DIRECTORY | O_NONBLOCK));
    return new Directory(fd, path, 0);
  }

  /** Opens a directory in this one; a symlink is `ENOTDIR`. */
  openChild(name: BytePath): Directory {
    const path = join(this.path, name);
    if (this.#level >= deepestLevel) {
      throw new FileError('ELOOP', toText(path), `directories more than ${deepestLevel} levels deep`);
    }
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
    return new Directory(
      attempt(path, () => openSync(this.at(name), flags)),
      path,
      this.#level + 1,
    );
  }

  /** The path of an entry for the kernel. */
  at(name: BytePath): Buffer {
    return toKernel(`/proc/self/fd/${this.fd}/${name}`);
  }

  /** What an entry is; undefined when it is gone. */
  describe(name: BytePath): Stats | undefined {
    return attempt(join(this.path, name), () => lstatSync(this.at(name), { throwIfNoEntry: false }));
  }

  /** Removes a name that is no directory's; nothing happens when there is none. */
  removeName(name: BytePath): void {
    removeName(this.at(name));
  }

  describeSelf(): Stats {
    return fstatSync(this.fd);
  }

  /** Reads names, some hundred at a time, in the directory's own order. */
  readNames(): NameReader {
    return new NameReader(
      attempt(this.path, () =>
        opendirSync(`/proc/self/fd/${this.fd}`, { encoding: 'latin1', bufferSize: namesPerRead }),
      ),
      this.path,
    );
  }

  /** Closes it; twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}

/** An iteration over the names of a directory; whoever opens it closes it. */
export class NameReader {
  readonly #dir: Dir;
  readonly #path: BytePath;

  constructor(dir: Dir, path: BytePath) {
    this.#dir = dir;
    this.#path = path;
  }

  /** Up to `most` names; fewer only at the end. */
  take(most: number): BytePath[] {
    const names: BytePath[] = [];
    while (names.length < most) {
      const entry = attempt(this.#path, () => this.#dir.readSync());
      if (entry === null) break;
      names.push(entry.name);
    }
    return names;
  }

  close(): void {
    this.#dir.closeSync();
  }
}

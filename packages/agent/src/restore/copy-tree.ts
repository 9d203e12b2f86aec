import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';
import { libc } from '../kernel/libc.ts';
import { copyExtended, copyOwner, copyTimes, makeNode } from './attributes.ts';
import { deepest, type OpenDirectory } from './open-directory.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const chunk = Buffer.allocUnsafe(1024 * 1024);
const seekData = 3;
const permissions = 0o7777n;

/**
 * Copies trees exactly: owners, modes, times, extended attributes, links among what is copied, and holes. The source must
 * not change meanwhile; the target must be a place that only root can reach.
 */
export class TreeCopy {
  readonly #staging: OpenDirectory;
  /** where the first copy of each file with several names is, below the staging directory */
  readonly #links = new Map<bigint, string>();
  #count = 0;

  /** `staging` is the directory that everything is copied to; it must stay open. */
  constructor(staging: OpenDirectory) {
    this.#staging = staging;
  }

  /** How many files, directories and others were copied. */
  get count(): number {
    return this.#count;
  }

  /** Copies what has the name in a directory to the same name in the staging directory. */
  copy(from: OpenDirectory, name: string): void {
    this.#copy({ from, to: this.#staging, name, path: name, depth: 0 });
  }

  #copy(place: Place): void {
    const { from, to, name } = place;
    const [source, copy] = [from.at(name), to.at(name)];
    const stats = lstatSync(source, { bigint: true });
    this.#count++;
    if (this.#linkToFirst(stats, place)) return;
    if (stats.isDirectory()) this.#copyDirectory(place);
    else if (stats.isFile()) copyFile(source, copy, Number(stats.size));
    else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(source, 'buffer'), copy);
    else if (stats.isFIFO() || stats.isSocket()) makeNode(copy, Number(stats.mode));
    else throw new SpriteError('not_supported', 'a device file cannot be restored into a running sprite');
    finish(source, copy, stats);
  }

  #copyDirectory({ from, to, name, path, depth }: Place): void {
    if (depth >= deepest) {
      throw new SpriteError('not_supported', `more than ${deepest} directories lie in each other`);
    }
    mkdirSync(to.at(name), 0o700);
    using source = from.child(name);
    using copy = to.child(name);
    for (const inner of source.names()) {
      this.#copy({ from: source, to: copy, name: inner, path: `${path}/${inner}`, depth: depth + 1 });
    }
  }

  #linkToFirst(stats: BigIntStats, { to, name, path }: Place): boolean {
    if (stats.isDirectory() || stats.nlink < 2n) return false;
    const first = this.#links.get(stats.ino);
    if (first === undefined) this.#links.set(stats.ino, path);
    else linkSync(this.#staging.at(first), to.at(name));
    return first !== undefined;
  }
}

type Place = {
  readonly from: OpenDirectory;
  readonly to: OpenDirectory;
  readonly name: string;
  /** names below the staging directory */
  readonly path: string;
  readonly depth: number;
};

function copyFile(source: Buffer, copy: Buffer, size: number): void {
  const from = openSync(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const to = openSync(copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      copyContent(from, to, size);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
}

/** In this order: a new owner takes away set-user-id and capabilities. */
export function finish(source: Buffer, copy: Buffer, stats: BigIntStats): void {
  copyOwner(copy, stats);
  if (!stats.isSymbolicLink()) chmodSync(copy, Number(stats.mode & permissions));
  copyExtended(source, copy);
  copyTimes(copy, stats);
}

function copyContent(from: number, to: number, size: number): void {
  let position = nextData(from, 0, size);
  while (position < size) {
    const read = readSync(from, chunk, 0, chunk.length, position);
    if (read === 0) break;
    writeAll(to, chunk.subarray(0, read), position);
    position = nextData(from, position + read, size);
  }
  ftruncateSync(to, size);
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Where the next bytes are that are no hole. */
function nextData(fd: number, position: number, size: number): number {
  if (position >= size) return size;
  const found = Number(libc.lseek(fd, BigInt(position), seekData));
  return found < 0 ? size : found;
}

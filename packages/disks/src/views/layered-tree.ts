import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';
import { readAttribute } from '@sprites/linux/look';

/** Paths and names are one character per byte: names in a sprite are any bytes. */
export type Bytes = string;

export type Layers = {
  /** directory of what the disk changed */
  readonly upper: Bytes;
  readonly image: Bytes;
  readonly imageDigest: string;
};

/** What a name stands for in a sprite's tree. */
export type Entry = {
  readonly stats: BigIntStats;
  /** path on the host of what is seen */
  readonly file: Bytes;
  readonly isUpper: boolean;
  /** of a directory: its place in the upper layer */
  readonly upper: Bytes | undefined;
  /** of a directory: its place in the image, whose content shows through */
  readonly lower: Bytes | undefined;
  /** what tells the place in the image from all others, or from the place of what is seen when that is in the image */
  readonly origin: string | undefined;
};

const path = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;
/** the kernel takes 4096 in one call */
const longPath = 2048;
const largestDirectoryBytes = 64n * 1024n * 1024n;

/**
 * The tree that overlayfs makes of an image and a disk, read without mounting it so. Both layers must be mounted read-only:
 * then a name that was a directory stays one, and nothing on a path can turn into a link.
 */
export class LayeredTree {
  readonly root: Entry;
  readonly #layers: Layers;

  constructor(layers: Layers) {
    this.#layers = layers;
    const { upper, image, imageDigest } = layers;
    this.root = {
      stats: lookAt(upper),
      file: upper,
      isUpper: true,
      upper,
      lower: image,
      origin: `${imageDigest}:`,
    };
  }

  /** What has the name in a directory, or undefined. */
  find(directory: Entry, name: Bytes): Entry | undefined {
    const lower = directory.lower === undefined ? undefined : `${directory.lower}/${name}`;
    if (directory.upper !== undefined) {
      const file = `${directory.upper}/${name}`;
      const stats = look(file);
      if (stats !== undefined) {
        if (isWhiteout(stats)) return undefined;
        return stats.isDirectory() ? this.#merge(file, stats, directory, name) : upperEntry(file, stats);
      }
    }
    return lower === undefined ? undefined : this.#inImage(lower, `${directory.origin}/${name}`);
  }

  /** All names in a directory, some of which may stand for nothing. */
  names(directory: Entry): readonly Bytes[] {
    const { upper, lower } = directory;
    return [...(upper === undefined ? [] : list(upper)), ...(lower === undefined ? [] : list(lower))];
  }

  #merge(file: Bytes, stats: BigIntStats, parent: Entry, name: Bytes): Entry {
    const { lower, origin } = this.#findLower(Buffer.from(file, 'latin1'), parent, name);
    const merges = lower !== undefined && look(lower)?.isDirectory() === true;
    return {
      stats,
      file,
      isUpper: true,
      upper: file,
      lower: merges ? lower : undefined,
      origin: merges ? origin : undefined,
    };
  }

  /** overlayfs notes on a directory whether it hides the image's, and where in the image it was before a rename. */
  #findLower(file: Buffer, parent: Entry, name: Bytes): Pick<Entry, 'lower' | 'origin'> {
    if (readAttribute(file, 'trusted.overlay.opaque')?.toString() === 'y')
      return { lower: undefined, origin: undefined };
    const redirect = readAttribute(file, 'trusted.overlay.redirect')?.toString('latin1');
    if (redirect?.startsWith('/')) return this.#walkImage(redirect);
    if (parent.lower === undefined) return { lower: undefined, origin: undefined };
    const lowerName = redirect ?? name;
    return { lower: `${parent.lower}/${lowerName}`, origin: `${parent.origin}/${lowerName}` };
  }

  #walkImage(redirect: Bytes): Pick<Entry, 'lower' | 'origin'> {
    const { image, imageDigest } = this.#layers;
    let lower = image;
    for (const part of redirect.split('/').slice(1)) {
      if (part === '' || part === '.' || part === '..') return { lower: undefined, origin: undefined };
      lower = `${lower}/${part}`;
      if (look(lower)?.isDirectory() !== true) return { lower: undefined, origin: undefined };
    }
    return { lower, origin: `${imageDigest}:${redirect}` };
  }

  #inImage(file: Bytes, origin: string): Entry | undefined {
    const stats = look(file);
    if (stats === undefined || isWhiteout(stats)) return undefined;
    return {
      stats,
      file,
      isUpper: false,
      upper: undefined,
      lower: stats.isDirectory() ? file : undefined,
      origin,
    };
  }
}

/** Does work with a directory whose path may have become too long for the kernel; the paths are good during the work. */
export function withShortPaths<T>(
  directory: Entry | undefined,
  work: (directory: Entry | undefined) => T,
): T {
  if (directory === undefined) return work(undefined);
  const opened: number[] = [];
  const shorten = (file: Bytes | undefined): Bytes | undefined => {
    if (file === undefined || file.length < longPath) return file;
    const fd = openSync(Buffer.from(file, 'latin1'), path | O_DIRECTORY | O_NOFOLLOW);
    opened.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const upper = shorten(directory.upper);
    const lower = shorten(directory.lower);
    return work({ ...directory, upper, lower, file: upper ?? lower ?? directory.file });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The names in a directory of one layer. */
export function list(file: Bytes): readonly Bytes[] {
  const place = Buffer.from(file, 'latin1');
  const { size } = lookAt(file);
  if (size > largestDirectoryBytes) {
    throw new SpriteError('not_supported', `a directory of ${size} bytes is too large to be compared`);
  }
  return readdirSync(place, 'latin1');
}

function upperEntry(file: Bytes, stats: BigIntStats): Entry {
  return { stats, file, isUpper: true, upper: undefined, lower: undefined, origin: undefined };
}

function look(file: Bytes): BigIntStats | undefined {
  return lstatSync(Buffer.from(file, 'latin1'), { bigint: true, throwIfNoEntry: false });
}

function lookAt(file: Bytes): BigIntStats {
  const stats = look(file);
  if (stats === undefined)
    throw new SpriteError('checkpoint_damaged', 'a disk has lost the directory of its files');
  return stats;
}

/** How overlayfs notes that something of the image is gone. */
function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';
import { type FileStats, lookAt, noDirectory, readAttribute } from '@sprites/linux/look';
import { DiskBlocks } from './disk-blocks.ts';

/** Paths and names are one character per byte: names in a sprite are any bytes. */
export type Bytes = string;

export type Layers = {
  /** directory of what the disk changed */
  readonly upper: Bytes;
  readonly image: Bytes;
  readonly imageDigest: string;
  /** descriptor of the file that holds the disk, when it was left in order */
  readonly disk: number | undefined;
};

/** What a name stands for in a sprite's tree. */
export type Entry = {
  readonly stats: FileStats;
  /** path on the host of what is seen */
  readonly file: Bytes;
  readonly isUpper: boolean;
  /** holds a file that the disk has */
  readonly disk: DiskBlocks | undefined;
  /** of a directory: its place in the upper layer */
  readonly upper: Bytes | undefined;
  /** of a directory: its place in the image, whose content shows through */
  readonly lower: Bytes | undefined;
  /** what tells the place in the image from all others, or from the place of what is seen when that is in the image */
  readonly origin: string | undefined;
};

/** Where names of a layer are looked for: in an open directory, or by paths that begin alike. */
type Place = { readonly fd: number; readonly prefix: Bytes };

/** A directory in which names can be looked for. */
export type Directory = {
  readonly entry: Entry;
  readonly upper: Place | undefined;
  readonly lower: Place | undefined;
};

const path = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;
/** the kernel takes 4096 in one call */
const longPath = 2048;
/** so many names are found faster in an open directory */
const manyNames = 8;
const largestDirectoryBytes = 64n * 1024n * 1024n;

/**
 * The tree that overlayfs makes of an image and a disk, read without mounting it so. Both layers must be mounted read-only:
 * then a name that was a directory stays one, and nothing on a path can turn into a link.
 */
export class LayeredTree {
  readonly root: Entry;
  readonly #layers: Layers;
  readonly #disk: DiskBlocks | undefined;

  constructor(layers: Layers) {
    this.#layers = layers;
    const { upper, image, imageDigest, disk } = layers;
    this.#disk = disk === undefined ? undefined : new DiskBlocks(disk);
    this.root = {
      stats: requireStats(upper),
      file: upper,
      isUpper: true,
      disk: undefined,
      upper,
      lower: image,
      origin: `${imageDigest}:`,
    };
  }

  /** What has the name in a directory, or undefined. */
  find({ entry, upper, lower }: Directory, name: Bytes): Entry | undefined {
    const inImage = entry.lower === undefined ? undefined : `${entry.lower}/${name}`;
    if (upper !== undefined) {
      const stats = lookAt(upper.fd, upper.prefix + name);
      if (stats !== undefined) {
        if (isWhiteout(stats)) return undefined;
        const file = `${entry.upper}/${name}`;
        if (stats.kind === 'directory') return this.#merge(file, stats, entry, name);
        return {
          stats,
          file,
          isUpper: true,
          disk: this.#disk,
          upper: undefined,
          lower: undefined,
          origin: undefined,
        };
      }
    }
    if (inImage === undefined || lower === undefined) return undefined;
    const stats = lookAt(lower.fd, lower.prefix + name);
    if (stats === undefined || isWhiteout(stats)) return undefined;
    return {
      stats,
      file: inImage,
      isUpper: false,
      disk: undefined,
      upper: undefined,
      lower: stats.kind === 'directory' ? inImage : undefined,
      origin: `${entry.origin}/${name}`,
    };
  }

  /** All names in a directory, some of which may stand for nothing. */
  names(directory: Entry): readonly Bytes[] {
    const { upper, lower } = directory;
    return [...(upper === undefined ? [] : list(upper)), ...(lower === undefined ? [] : list(lower))];
  }

  #merge(file: Bytes, stats: FileStats, parent: Entry, name: Bytes): Entry {
    const { lower, origin } = this.#findLower(Buffer.from(file, 'latin1'), parent, name);
    const merges = lower !== undefined && look(lower)?.kind === 'directory';
    return {
      stats,
      file,
      isUpper: true,
      disk: undefined,
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
      if (look(lower)?.kind !== 'directory') return { lower: undefined, origin: undefined };
    }
    return { lower, origin: `${imageDigest}:${redirect}` };
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
    const fd = openDirectory(file);
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

/** Does work in which some names are looked for in a directory; it is good during the work. */
export function withDirectory<T>(
  entry: Entry | undefined,
  names: number,
  work: (directory: Directory | undefined) => T,
): T {
  if (entry === undefined) return work(undefined);
  const opened: number[] = [];
  const openPlace = (file: Bytes | undefined): Place | undefined => {
    if (file === undefined) return undefined;
    if (names < manyNames) return { fd: noDirectory, prefix: `${file}/` };
    const fd = openDirectory(file);
    opened.push(fd);
    return { fd, prefix: '' };
  };
  try {
    return work({ entry, upper: openPlace(entry.upper), lower: openPlace(entry.lower) });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The names in a directory of one layer. */
export function list(file: Bytes): readonly Bytes[] {
  const place = Buffer.from(file, 'latin1');
  const { sizeBytes } = requireStats(file);
  if (sizeBytes > largestDirectoryBytes) {
    throw new SpriteError('not_supported', `a directory of ${sizeBytes} bytes is too large to be compared`);
  }
  return readdirSync(place, 'latin1');
}

function openDirectory(file: Bytes): number {
  return openSync(Buffer.from(file, 'latin1'), path | O_DIRECTORY | O_NOFOLLOW);
}

function look(file: Bytes): FileStats | undefined {
  return lookAt(noDirectory, file);
}

function requireStats(file: Bytes): FileStats {
  const stats = look(file);
  if (stats === undefined)
    throw new SpriteError('checkpoint_damaged', 'a disk has lost the directory of its files');
  return stats;
}

/** How overlayfs notes that something of the image is gone. */
function isWhiteout({ kind, device }: FileStats): boolean {
  return kind === 'char_device' && device === 0;
}

import type { FileFacts, FileKind, PathChange } from '@sprites/contract';
import { SpriteError } from '@sprites/contract/errors';
import { hasSameContent, hasSameMetadata, isUntouched, mustBeRead, readTarget } from './compare-files.ts';
import { type Bytes, type Entry, type LayeredTree, list, withShortPaths } from './layered-tree.ts';
import { OpenFiles } from './open-files.ts';

export type TreeComparison = {
  readonly before: LayeredTree;
  readonly after: LayeredTree;
  /** names from the root to where the comparison starts */
  readonly path: readonly Bytes[];
  /** files of a disk that changed before this, in `ns`, can be told by their times; see `isUntouched` */
  readonly quietBeforeNs: bigint;
  readonly emit: (change: PathChange) => void;
};

type Pair = { readonly before: Entry | undefined; readonly after: Entry | undefined };

/** deeper trees are not made by people, and each level takes memory here */
const deepest = 1000;
const namesAtOnce = 64;
const latestMs = 253_402_300_799_999;

/** Compares two trees at and below the path, in byte order of paths. */
export function compareTrees(comparison: TreeComparison): void {
  using files = new OpenFiles();
  const walk = new Walk(comparison, files);
  walk.compare({ before: comparison.before.root, after: comparison.after.root }, '', 0);
}

class Walk {
  readonly #comparison: TreeComparison;
  readonly #files: OpenFiles;

  constructor(comparison: TreeComparison, files: OpenFiles) {
    this.#comparison = comparison;
    this.#files = files;
  }

  compare({ before, after }: Pair, path: Bytes, depth: number): void {
    if (depth >= this.#comparison.path.length) this.#report(before, after, path);
    const directories = { before: onlyDirectory(before), after: onlyDirectory(after) };
    if (directories.before === undefined && directories.after === undefined) return;
    if (isPlainlyEqual(directories)) return;
    if (depth >= deepest) {
      throw new SpriteError(
        'not_supported',
        `more than ${deepest} directories lie in each other; name a path`,
      );
    }
    withShortPaths(directories.before, (beforeDir) =>
      withShortPaths(directories.after, (afterDir) =>
        this.#compareEntries({ before: beforeDir, after: afterDir }, path, depth),
      ),
    );
  }

  #compareEntries(pair: Pair, path: Bytes, depth: number): void {
    const wanted = this.#comparison.path[depth];
    const names = wanted === undefined ? this.#names(pair) : [wanted];
    for (let at = 0; at < names.length; at += namesAtOnce) {
      const found = names
        .slice(at, at + namesAtOnce)
        .map((name) => ({ name, entries: this.#find(pair, name) }));
      for (const { entries } of found) this.#prepare(entries);
      for (const { name, entries } of found) this.compare(entries, `${path}/${name}`, depth + 1);
    }
  }

  #find({ before, after }: Pair, name: Bytes): Pair {
    return {
      before: before && this.#comparison.before.find(before, name),
      after: after && this.#comparison.after.find(after, name),
    };
  }

  #prepare({ before, after }: Pair): void {
    if (before === undefined || after === undefined || kindOf(before) !== kindOf(after)) return;
    if (!mustBeRead(before, after) || isUntouched(before, after, this.#comparison.quietBeforeNs)) return;
    this.#files.prepare(before);
    this.#files.prepare(after);
  }

  /** Where the same of the image shows through on both sides, only what a disk changed can differ. */
  #names({ before, after }: Pair): readonly Bytes[] {
    const names =
      before !== undefined && after !== undefined && before.origin === after.origin
        ? [before, after].flatMap(({ upper }) => (upper === undefined ? [] : list(upper)))
        : [
            ...(before === undefined ? [] : this.#comparison.before.names(before)),
            ...(after === undefined ? [] : this.#comparison.after.names(after)),
          ];
    return [...new Set(names)].sort();
  }

  #report(before: Entry | undefined, after: Entry | undefined, path: Bytes): void {
    const change = this.#changeOf(before, after);
    if (change === undefined) return;
    const facts = {
      ...(before === undefined ? {} : { before: factsOf(before) }),
      ...(after === undefined ? {} : { after: factsOf(after) }),
    };
    this.#comparison.emit({ change, ...nameOf(path === '' ? '/' : path), ...facts });
  }

  #changeOf(before: Entry | undefined, after: Entry | undefined): PathChange['change'] | undefined {
    if (before === undefined) return after === undefined ? undefined : 'added';
    if (after === undefined) return 'removed';
    if (kindOf(before) !== kindOf(after)) return 'retyped';
    if (isUntouched(before, after, this.#comparison.quietBeforeNs)) return undefined;
    if (!hasSameContent(before, after, this.#files)) return 'changed';
    return hasSameMetadata(before, after) ? undefined : 'metadata';
  }
}

/** Neither disk has anything in this directory, and the same of the image shows through. */
function isPlainlyEqual({ before, after }: Pair): boolean {
  if (before === undefined || after === undefined) return false;
  if (before.upper !== undefined || after.upper !== undefined) return false;
  return before.origin === after.origin;
}

function onlyDirectory(entry: Entry | undefined): Entry | undefined {
  return entry?.stats.isDirectory() === true ? entry : undefined;
}

/** The kind of file an entry is. */
export function kindOf({ stats }: Entry): FileKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block_device' : 'char_device';
}

function factsOf(entry: Entry): FileFacts {
  const { stats } = entry;
  const kind = kindOf(entry);
  return {
    kind,
    size: kind === 'file' ? Number(stats.size) : 0,
    mode: (stats.mode & 0o7777n).toString(8).padStart(4, '0'),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: new Date(Math.max(-latestMs, Math.min(latestMs, Number(stats.mtimeMs)))).toISOString(),
    ...(kind === 'symlink' ? { target: readTarget(entry).toString() } : {}),
  };
}

function nameOf(path: Bytes): Pick<PathChange, 'path' | 'path_base64'> {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes)
    ? { path: text }
    : { path: text, path_base64: bytes.toString('base64') };
}

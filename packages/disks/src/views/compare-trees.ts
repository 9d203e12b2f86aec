import type { FileFacts, PathChange } from '@sprites/contract';
import { SpriteError } from '@sprites/contract/errors';
import { hasSameContent, hasSameMetadata, isUntouched, mustBeRead, readTarget } from './compare-files.ts';
import {
  type Bytes,
  type Entry,
  type LayeredTree,
  list,
  withDirectory,
  withShortPaths,
} from './layered-tree.ts';
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

/** What may be said of a pair: how it differs, or nothing. */
type Change = PathChange['change'] | undefined;

type Pair = { readonly before: Entry | undefined; readonly after: Entry | undefined };

/** deeper trees are not made by people, and each level takes memory here */
const deepest = 1000;
const namesAtOnce = 64;
const latestMs = 253_402_300_799_999;
const nsPerMs = 1_000_000n;

/** Compares two trees at and below the path, in byte order of paths. */
export function compareTrees(comparison: TreeComparison): void {
  using files = new OpenFiles();
  const walk = new Walk(comparison, files);
  walk.compareRoots();
}

class Walk {
  readonly #comparison: TreeComparison;
  readonly #files: OpenFiles;

  constructor(comparison: TreeComparison, files: OpenFiles) {
    this.#comparison = comparison;
    this.#files = files;
  }

  compareRoots(): void {
    const { before, after, path } = this.#comparison;
    const roots = { before: before.root, after: after.root };
    if (path.length === 0) this.#report(roots, this.#changeOf(roots), '');
    this.#descend(roots, '', 0);
  }

  /** Compares what is in a pair of directories, which has the path and is so deep. */
  #descend({ before, after }: Pair, path: Bytes, depth: number): void {
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
    const isWanted = depth + 1 >= this.#comparison.path.length;
    for (let at = 0; at < names.length; at += namesAtOnce) {
      const some = names.slice(at, at + namesAtOnce);
      const found = this.#find(pair, some);
      // all of them before anything below them, so that they need not be kept open or in memory
      const changes = isWanted ? this.#changesOf(found) : [];
      for (const [index, entries] of found.entries()) {
        const inner = `${path}/${some[index]}`;
        this.#report(entries, changes[index], inner);
        this.#descend(entries, inner, depth + 1);
      }
    }
  }

  #find({ before, after }: Pair, names: readonly Bytes[]): readonly Pair[] {
    return withDirectory(before, names.length, (beforeDir) =>
      withDirectory(after, names.length, (afterDir) =>
        names.map((name) => ({
          before: beforeDir && this.#comparison.before.find(beforeDir, name),
          after: afterDir && this.#comparison.after.find(afterDir, name),
        })),
      ),
    );
  }

  #changesOf(pairs: readonly Pair[]): readonly Change[] {
    this.#files.prepare(pairs.flatMap((pair) => this.#mustBeRead(pair)));
    return pairs.map((pair) => this.#changeOf(pair));
  }

  #mustBeRead({ before, after }: Pair): readonly Entry[] {
    if (before === undefined || after === undefined || before.stats.kind !== after.stats.kind) return [];
    if (!mustBeRead(before, after) || isUntouched(before, after, this.#comparison.quietBeforeNs)) return [];
    return [before, after];
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

  #report({ before, after }: Pair, change: Change, path: Bytes): void {
    if (change === undefined) return;
    const facts = {
      ...(before === undefined ? {} : { before: factsOf(before) }),
      ...(after === undefined ? {} : { after: factsOf(after) }),
    };
    this.#comparison.emit({ change, ...nameOf(path === '' ? '/' : path), ...facts });
  }

  #changeOf({ before, after }: Pair): Change {
    if (before === undefined) return after === undefined ? undefined : 'added';
    if (after === undefined) return 'removed';
    if (before.stats.kind !== after.stats.kind) return 'retyped';
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
  return entry?.stats.kind === 'directory' ? entry : undefined;
}

function factsOf(entry: Entry): FileFacts {
  const { kind, sizeBytes, permissions, uid, gid, mtimeNs } = entry.stats;
  return {
    kind,
    size: kind === 'file' ? Number(sizeBytes) : 0,
    mode: permissions.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime: toTime(Number(mtimeNs / nsPerMs)),
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

function toTime(ms: number): string {
  return new Date(Math.max(-latestMs, Math.min(latestMs, ms))).toISOString();
}

import { readlink } from 'node:fs/promises';
import { type ExportEntry, mostOwnerId, mostPathBytes } from '@sprites/contract/export';
import { exportXattrs } from './attributes.ts';
import { encodeBytes } from './bytes-text.ts';
import { type Piece, readDifferences, readPieces } from './file-data.ts';
import { type Found, listNames, look, lookAt } from './look.ts';
import { enter, leave, type Place } from './place.ts';
import type { Problems } from './problems.ts';

/** A line of a listing, and for a file what it brings. */
export type Step = { readonly entry: ExportEntry; readonly pieces?: AsyncIterable<Piece> };

export type ComparedTrees = {
  readonly tree: string;
  readonly root: Buffer;
  /** what the listing begins with, and when that was copied at the latest; undefined for an empty disk */
  readonly before: { readonly root: Buffer; readonly takenAtMs: number } | undefined;
  readonly problems: Problems;
};

/** Most files with several names that are kept track of. */
const mostLinkedFiles = 1_000_000;
/** The kernel's clock of files moves in steps, and a copy is noted some time after it was made. */
const marginMs = 60_000;

type Frame = {
  readonly path: Buffer;
  readonly now: Place;
  readonly was: Place | undefined;
  /** what is still to be looked at, last name first */
  readonly names: Buffer[];
  readonly mtime: string;
  /** whether making it changes when the directory was last changed */
  touched: boolean;
};

/** The first name of what has several. */
type Named = { readonly path: Buffer; readonly isKept: boolean };

type Pair = { readonly path: Buffer; readonly now: Found; readonly was: Found | undefined };

/**
 * Tells one tree of files as steps from another, both copies of the same file system at two times. Nothing else writes to
 * them. Whatever cannot be read is noted and left out.
 */
export class TreeComparison {
  readonly #trees: ComparedTrees;
  readonly #frames: Frame[] = [];
  readonly #linked = new Map<bigint, Named>();

  constructor(trees: ComparedTrees) {
    this.#trees = trees;
  }

  /** The steps, in an order in which they can be done. */
  async *steps(): AsyncGenerator<Step> {
    const { root, before } = this.#trees;
    try {
      const now = { path: root };
      const was = before && { path: before.root };
      const pair = { path: Buffer.alloc(0), now: await lookAt(now), was: was && (await lookAt(was)) };
      yield* this.#directory(pair, { now, was });
      for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
        const name = frame.names.pop();
        if (name !== undefined) {
          yield* this.#name(frame, name);
          continue;
        }
        if (frame.touched) yield { entry: { op: 'seal', path: encodeBytes(frame.path), mtime: frame.mtime } };
        await this.#close(frame);
        this.#frames.pop();
      }
    } finally {
      for (const frame of this.#frames) await this.#close(frame);
    }
  }

  async *#name(frame: Frame, name: Buffer): AsyncGenerator<Step> {
    const path = frame.path.length === 0 ? name : Buffer.concat([frame.path, Buffer.from('/'), name]);
    const was = frame.was && (await this.#look(path, frame.was, name));
    const now = await this.#lookAgain(path, frame.now, name);
    const isKept = was !== undefined && now !== undefined && !isReplaced(now, was);
    if (was !== undefined && !isKept) yield { entry: { op: 'remove', path: encodeBytes(path) } };
    if (!isKept) frame.touched = true;
    if (now === undefined) return;
    const pair = { path, now, was: isKept ? was : undefined };
    if (now.kind === 'directory') {
      const places = await this.#enter(frame, name, pair);
      if (places !== undefined) yield* this.#directory(pair, places);
    } else yield* this.#leaf(frame, pair);
  }

  async *#leaf(frame: Frame, pair: Pair): AsyncGenerator<Step> {
    const first = hasSeveralNames(pair.now) ? this.#linked.get(pair.now.stats.ino) : undefined;
    if (first !== undefined) yield* this.#link(frame, pair, first);
    else if (pair.now.kind === 'file') yield* this.#file(pair);
    else yield* this.#small(frame, pair);
  }

  async *#directory(pair: Pair, places: Pick<Frame, 'now' | 'was'>): AsyncGenerator<Step> {
    const { path, now, was } = pair;
    const isSame = was !== undefined && this.#isSame(now, was);
    if (!isSame) {
      // what the listing begins with has a top
      const isNew = was === undefined && path.length > 0;
      const meta = await this.#meta(path, now);
      if (meta === undefined) return;
      yield { entry: { op: 'directory', ...meta, isNew } };
    }
    const names = await this.#names(path, places);
    this.#frames.push({
      path,
      ...places,
      names: names.reverse(),
      mtime: String(now.stats.mtimeNs),
      touched: !isSame,
    });
  }

  /** Another name of something that was told already. */
  async *#link(frame: Frame, { path, was }: Pair, first: Named): AsyncGenerator<Step> {
    if (was !== undefined && first.isKept) return;
    frame.touched = true;
    if (was !== undefined) yield { entry: { op: 'remove', path: encodeBytes(path) } };
    yield { entry: { op: 'link', path: encodeBytes(path), to: encodeBytes(first.path) } };
  }

  async *#file(pair: Pair): AsyncGenerator<Step> {
    const { path, now, was } = pair;
    if (was !== undefined && this.#isSame(now, was)) {
      this.#remember(pair, true);
      return;
    }
    const meta = await this.#meta(path, now);
    if (meta === undefined) return;
    this.#remember(pair, was !== undefined);
    const onUnreadable = (at: number, error: unknown): void => this.#note(path, error, ` from byte ${at}`);
    const pieces =
      was === undefined
        ? readPieces(now.path, onUnreadable)
        : readDifferences(now.path, was.path, onUnreadable);
    const size = Number(now.stats.size);
    yield { entry: { op: 'file', ...meta, isNew: was === undefined, size, chunks: [] }, pieces };
  }

  async *#small(frame: Frame, pair: Pair): AsyncGenerator<Step> {
    const { path, now, was } = pair;
    if (was !== undefined && this.#isSame(now, was)) {
      this.#remember(pair, true);
      return;
    }
    const meta = await this.#meta(path, now);
    if (was !== undefined) {
      frame.touched = true;
      yield { entry: { op: 'remove', path: encodeBytes(path) } };
    }
    if (meta === undefined) return;
    this.#remember(pair, false);
    if (now.kind === 'symlink') {
      const target = await readlink(now.path, { encoding: 'buffer' }).catch((error: unknown) =>
        this.#note(path, error),
      );
      if (target !== undefined) yield { entry: { op: 'symlink', ...meta, target: encodeBytes(target) } };
    } else if (now.kind === 'fifo' || now.kind === 'socket' || now.kind === 'whiteout') {
      yield { entry: { op: 'node', ...meta, kind: now.kind } };
    }
  }

  /** Further names are told as links to the first. `isKept` when what the listing begins with has it, too. */
  #remember({ path, now }: Pair, isKept: boolean): void {
    if (!hasSeveralNames(now)) return;
    if (this.#linked.size >= mostLinkedFiles) {
      throw new Error(`more than ${mostLinkedFiles} files have several names, too many for an export`);
    }
    this.#linked.set(now.stats.ino, { path, isKept });
  }

  /** Whether nothing about it can have changed since the other copy was made. */
  #isSame(now: Found, was: Found): boolean {
    const { ino, ctimeNs } = now.stats;
    const limitMs = (this.#trees.before?.takenAtMs ?? 0) - marginMs;
    return ino === was.stats.ino && ctimeNs === was.stats.ctimeNs && ctimeNs < BigInt(limitMs) * 1_000_000n;
  }

  async #meta(path: Buffer, { path: file, kind, stats }: Found) {
    try {
      const { xattrs, left } = await exportXattrs(file);
      for (const name of left) this.#note(path, `attribute ${name} is not exported`);
      return {
        path: encodeBytes(path),
        mode: Number(stats.mode & 0o7777n),
        // overlayfs itself owns what hides a name
        uid: kind === 'whiteout' ? 0 : Number(stats.uid),
        gid: kind === 'whiteout' ? 0 : Number(stats.gid),
        mtime: String(stats.mtimeNs),
        xattrs,
      };
    } catch (error) {
      return this.#note(path, error);
    }
  }

  async #names(path: Buffer, { now, was }: Pick<Frame, 'now' | 'was'>): Promise<Buffer[]> {
    const names = await listNames(now).catch((error: unknown) => this.#note(path, error) ?? []);
    const before = was === undefined ? [] : await listNames(was).catch(() => []);
    if (before.length === 0) return names;
    const all = [...names, ...before].sort(Buffer.compare);
    return all.filter((name, index) => index === 0 || all[index - 1]?.equals(name) === false);
  }

  async #enter(
    frame: Frame,
    name: Buffer,
    { path, was }: Pair,
  ): Promise<Pick<Frame, 'now' | 'was'> | undefined> {
    try {
      const now = await enter(frame.now, name);
      return { now, was: was && frame.was && (await enter(frame.was, name)) };
    } catch (error) {
      return this.#note(path, error);
    }
  }

  async #look(path: Buffer, place: Place, name: Buffer): Promise<Found | undefined> {
    return look(place, name).catch((error: unknown) => this.#note(path, error));
  }

  /** What cannot be in an archive is noted, as if it were not there. */
  async #lookAgain(path: Buffer, place: Place, name: Buffer): Promise<Found | undefined> {
    const now = await this.#look(path, place, name);
    const refusal = now && whyNot(path, now);
    return refusal === undefined ? now : this.#note(path, refusal);
  }

  async #close({ now, was }: Frame): Promise<void> {
    await leave(now);
    if (was !== undefined) await leave(was);
  }

  #note(path: Buffer, reason: unknown, detail = ''): undefined {
    this.#trees.problems.add(this.#trees.tree, path, reason, detail);
  }
}

/** overlayfs itself gives all names that it hides one whiteout. */
function hasSeveralNames({ kind, stats }: Found): boolean {
  return stats.nlink > 1n && kind !== 'directory' && kind !== 'whiteout';
}

function isReplaced(now: Found, was: Found): boolean {
  return now.kind !== was.kind || (now.kind !== 'directory' && now.stats.ino !== was.stats.ino);
}

/** Why something cannot be in an archive; undefined when it can. */
function whyNot(path: Buffer, { kind, stats }: Found): string | undefined {
  if (kind === 'other') return 'a device is not exported';
  if (path.length > mostPathBytes) return `its path is longer than ${mostPathBytes} bytes`;
  const isForeign = stats.uid > mostOwnerId || stats.gid > mostOwnerId;
  return isForeign && kind !== 'whiteout' ? 'its owner is not of the sprite' : undefined;
}

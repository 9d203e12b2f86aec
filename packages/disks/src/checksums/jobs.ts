import { open, readFile } from 'node:fs/promises';
import { hasCode, readExtents } from '@sprites/linux';
import { type ChecksumTree, decodeTree, encodeTree, rootOf } from './checksum-tree.ts';
import { type Chunk, chunkBytes, placeOf, toChunks } from './chunks.ts';
import { giveWay } from './give-way.ts';
import { emptyHash, hashChunk } from './read-chunks.ts';

/** A file with the file of its checksums and the root they must have. */
export type Summed = { readonly file: string; readonly sums: string; readonly root: string };

/** What the thread is asked: to make checksums, or to compare a file with those it has. */
export type Job =
  | {
      readonly type: 'make';
      readonly file: string;
      /** files with checksums that may lie on the same blocks, which then need not be read again */
      readonly like: readonly Summed[];
    }
  | ({
      readonly type: 'verify';
      /** within one pass a block that several files share is read once */
      readonly pass: string;
    } & Summed);

export type Made = {
  readonly root: string;
  readonly tree: Uint8Array;
  readonly usedBytes: number;
  readonly readBytes: number;
};

export type Verified = {
  /** what is wrong, in words; empty when nothing is */
  readonly health: string;
  readonly usedBytes: number;
  readonly readBytes: number;
  /** checksums to be kept, when those that were kept are damaged and the file is not */
  readonly tree: Uint8Array | undefined;
};

type Known = Map<string, Buffer>;

/** Most hashes remembered within a pass; beyond that blocks may be read twice. */
const mostKnown = 500_000;

/** Makes the checksums of a file. */
export async function make({ file, like }: Extract<Job, { type: 'make' }>): Promise<Made> {
  const known: Known = new Map();
  await using stack = new AsyncDisposableStack();
  for (const one of like) {
    const found = await readSummed(one, stack);
    for (const chunk of found?.chunks ?? []) {
      const place = placeOf(chunk);
      const value = found?.tree.hashes.get(chunk.index) ?? emptyHash;
      if (place !== undefined) known.set(place, value);
    }
  }
  return sumFile(file, known);
}

/** Compares a file with its checksums. */
export async function verify(job: Extract<Job, { type: 'verify' }>, known: Known): Promise<Verified> {
  const tree = await readTree(job.sums, job.root);
  if (tree !== undefined) return compare(job.file, tree, known);
  const made = await sumFile(job.file, new Map());
  const { usedBytes, readBytes } = made;
  if (made.root === job.root) return { health: '', usedBytes, readBytes, tree: made.tree };
  return { health: 'it does not match its checksum', usedBytes, readBytes, tree: undefined };
}

async function compare(file: string, tree: ChecksumTree, known: Known): Promise<Verified> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const extents = await readExtents(handle.fd);
  const usedBytes = extents.reduce((sum, { length }) => sum + length, 0);
  if (size !== tree.fileBytes) {
    const health = `its file has ${size} bytes instead of ${tree.fileBytes}`;
    return { health, usedBytes, readBytes: 0, tree: undefined };
  }
  const present = toChunks(extents, size);
  const there = new Set(present.map(({ index }) => index));
  const emptied = [...tree.hashes.keys()].filter((index) => !there.has(index));
  const bad = new Set(emptied);
  let readBytes = 0;
  for (const chunk of present) {
    const wanted = tree.hashes.get(chunk.index) ?? emptyHash;
    const place = placeOf(chunk);
    if (place !== undefined && known.get(place)?.equals(wanted) === true) continue;
    readBytes += chunkBytes;
    giveWay();
    const found = hashChunk(handle.fd, chunk);
    if (found?.equals(wanted) !== true) bad.add(chunk.index);
    else if (place !== undefined && known.size < mostKnown) known.set(place, found);
  }
  return { health: describe(bad, present.length + emptied.length), usedBytes, readBytes, tree: undefined };
}

function describe(bad: ReadonlySet<number>, all: number): string {
  if (bad.size === 0) return '';
  const first = Math.min(...bad) * chunkBytes;
  return `${bad.size} of ${all} MiB do not match their checksums, the first at byte ${first}`;
}

async function sumFile(file: string, known: ReadonlyMap<string, Buffer>): Promise<Made> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const extents = await readExtents(handle.fd);
  const hashes = new Map<number, Buffer>();
  let readBytes = 0;
  for (const chunk of toChunks(extents, size)) {
    const place = placeOf(chunk);
    let value = place === undefined ? undefined : known.get(place);
    if (value === undefined) {
      readBytes += chunkBytes;
      giveWay();
      value = hashChunk(handle.fd, chunk);
    }
    if (value === undefined) throw new Error(`the disk cannot read byte ${chunk.index * chunkBytes}`);
    if (!value.equals(emptyHash)) hashes.set(chunk.index, value);
  }
  const tree = encodeTree({ fileBytes: size, hashes });
  const usedBytes = extents.reduce((sum, { length }) => sum + length, 0);
  return { root: rootOf(tree), tree, usedBytes, readBytes };
}

/** The file stays open as long as `stack`, so that its blocks are nobody else's meanwhile. */
async function readSummed(
  { file, sums, root }: Summed,
  stack: AsyncDisposableStack,
): Promise<{ readonly chunks: readonly Chunk[]; readonly tree: ChecksumTree } | undefined> {
  const tree = await readTree(sums, root);
  if (tree === undefined) return undefined;
  try {
    const handle = stack.use(await open(file, 'r'));
    const { size } = await handle.stat();
    return { chunks: toChunks(await readExtents(handle.fd), size), tree };
  } catch (error) {
    // removed meanwhile: then everything is read
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Undefined when they are not there or not whole. */
async function readTree(file: string, root: string): Promise<ChecksumTree | undefined> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'EIO', 'EUCLEAN')) return undefined;
    throw error;
  });
  return bytes === undefined || rootOf(bytes) !== root ? undefined : decodeTree(bytes);
}

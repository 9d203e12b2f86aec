import { stat, statfs } from 'node:fs/promises';
import { defaultReserveBytes } from '../guard/levels.ts';
import type { PoolPaths } from './pool-paths.ts';

/** Space of a pool, in bytes. */
export type PoolSpace = {
  /** what can be written for certain */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** what new disks and checkpoints leave free */
  readonly reserveBytes: number;
};

/** Measures a pool; one in a file can fill up by what is written around it, unless the file has all its blocks. */
export async function measurePool(
  paths: PoolPaths,
  kind: 'reflink-directory' | 'reflink-loop',
  reserveBytes: number | undefined,
): Promise<PoolSpace> {
  const pool = await statfs(paths.disks);
  const totalBytes = pool.blocks * pool.bsize;
  const freeBytes = pool.bavail * pool.bsize;
  const usedBytes = totalBytes - pool.bfree * pool.bsize;
  const belowBytes =
    kind === 'reflink-loop' ? await measureBelow(paths.file, usedBytes) : Number.POSITIVE_INFINITY;
  return {
    freeBytes: Math.max(0, Math.min(freeBytes, belowBytes)),
    totalBytes,
    reserveBytes: reserveBytes ?? defaultReserveBytes(totalBytes),
  };
}

/** What can be written to the pool's file before the file system it is on is full. */
async function measureBelow(file: string, usedBytes: number): Promise<number> {
  const [{ size, blocks }, below] = await Promise.all([stat(file), statfs(file)]);
  const backedBytes = blocks * 512;
  const belowFree = below.bavail * below.bsize;
  if (belowFree >= size - backedBytes) return Number.POSITIVE_INFINITY;
  // The pool may choose blocks the file does not have yet before those it has, and some may be on their way there.
  return belowFree - Math.max(0, usedBytes - backedBytes);
}

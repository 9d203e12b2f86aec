import { open } from 'node:fs/promises';
import { type Extent, readExtents } from '@sprites/linux';

/** bytes at the start of an ext4 that thawing it rewrites */
const superblockBytes = 4096;

/**
 * Whether anything was written to a disk since a file was cloned from it, but for the block that says whether it is in
 * use. It compares which blocks of the pool they lie on, and reads none of them.
 */
export async function haveDiverged(disk: string, clone: string): Promise<boolean> {
  const [live, saved] = await Promise.all([readPlaces(disk), readPlaces(clone)]);
  return live === undefined || saved === undefined || live.join() !== saved.join();
}

/** Where each run of a file's written blocks lies; undefined while some have no place yet. */
async function readPlaces(file: string): Promise<readonly string[] | undefined> {
  await using handle = await open(file, 'r');
  const runs: { start: number; physical: number; length: number }[] = [];
  for (const extent of await readExtents(handle.fd)) {
    if (extent.isUnwritten) continue;
    const { start, length, physical } = withoutSuperblock(extent);
    if (length <= 0) continue;
    if (physical === undefined) return undefined;
    const last = runs.at(-1);
    // the kernel may tell of one run in two parts
    const continues =
      last !== undefined && last.start + last.length === start && last.physical + last.length === physical;
    if (continues) last.length += length;
    else runs.push({ start, physical, length });
  }
  return runs.map(({ start, physical, length }) => `${start}@${physical}+${length}`);
}

function withoutSuperblock({
  start,
  length,
  physical,
}: Extent): Pick<Extent, 'start' | 'length' | 'physical'> {
  const skip = Math.max(0, superblockBytes - start);
  return {
    start: start + skip,
    length: length - skip,
    physical: physical === undefined ? undefined : physical + skip,
  };
}

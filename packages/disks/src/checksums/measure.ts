import { open } from 'node:fs/promises';
import { hasCode, readExtents } from '@sprites/linux';

/** A disk and its checkpoints, by their ids. */
export type MeasureJob = {
  readonly type: 'measure';
  readonly disk: string;
  readonly checkpoints: readonly { readonly id: string; readonly file: string }[];
};

type Usage = { readonly usedBytes: number; readonly ownBytes: number };

export type Measured = {
  readonly disk: Usage;
  readonly checkpoints: readonly (Usage & { readonly id: string })[];
  /** bytes of blocks that checkpoints hold and the disk does not */
  readonly checkpointsBytes: number;
};

type File = Usage & { readonly runs: readonly Run[] };
type Run = readonly [start: number, end: number];

/** Adds up which blocks files have, alone and together. A file that is not there has none. */
export async function measure({ disk, checkpoints }: MeasureJob): Promise<Measured> {
  const live = await readFile(disk);
  const saved: (File & { readonly id: string })[] = [];
  for (const { id, file } of checkpoints) saved.push({ id, ...(await readFile(file)) });
  const all = unionBytes([live, ...saved].flatMap(({ runs }) => runs));
  return {
    disk: usageOf(live),
    checkpoints: saved.map((file) => ({ id: file.id, ...usageOf(file) })),
    checkpointsBytes: all - unionBytes(live.runs),
  };
}

/** How many bytes at least one of the runs covers. */
export function unionBytes(runs: readonly Run[]): number {
  let bytes = 0;
  let covered = 0;
  for (const [start, end] of runs.toSorted(([a], [b]) => a - b)) {
    if (end <= covered) continue;
    bytes += end - Math.max(start, covered);
    covered = end;
  }
  return bytes;
}

async function readFile(path: string): Promise<File> {
  let usedBytes = 0;
  let ownBytes = 0;
  const runs: Run[] = [];
  try {
    await using handle = await open(path, 'r');
    for (const { length, physical, isShared } of await readExtents(handle.fd)) {
      usedBytes += length;
      if (!isShared) ownBytes += length;
      if (physical !== undefined) runs.push([physical, physical + length]);
    }
  } catch (error) {
    // removed meanwhile, or damaged: another part of the server says so
    if (!hasCode(error, 'ENOENT', 'EIO', 'EUCLEAN')) throw error;
  }
  return { usedBytes, ownBytes, runs };
}

function usageOf({ usedBytes, ownBytes }: Usage): Usage {
  return { usedBytes, ownBytes };
}

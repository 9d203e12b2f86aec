import { link, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Quiet } from '@sprites/core';
import { cloneFile, syncDirectory } from '@sprites/linux';
import { createUnfinishedName } from '../unfinished.ts';

export type PlaceClone = {
  readonly from: string;
  readonly to: string;
  /** directory of the same file system for the copy while it is being made */
  readonly workDir: string;
  readonly quiet?: Quiet | undefined;
};

/** Makes a copy of a file that shares its blocks, durable when the promise resolves; fails with `EEXIST` when `to` is there. */
export async function addClone(clone: PlaceClone): Promise<void> {
  // A hard link, unlike a rename, never replaces what is there.
  await placeClone(clone, link);
}

/** Like `addClone`, but takes the place of what is there: after a crash `to` is the old file or the new one. */
export async function replaceByClone(clone: PlaceClone): Promise<void> {
  await placeClone(clone, rename);
}

async function placeClone(
  { from, to, workDir, quiet = (step) => step() }: PlaceClone,
  place: (unfinished: string, to: string) => Promise<void>,
): Promise<void> {
  const unfinished = join(workDir, createUnfinishedName());
  try {
    await quiet(() => cloneFile(from, unfinished));
    await syncFile(unfinished);
    await place(unfinished, to);
  } finally {
    await rm(unfinished, { force: true });
  }
  await syncDirectory(dirname(to));
}

async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, 'r');
  await handle.sync();
}

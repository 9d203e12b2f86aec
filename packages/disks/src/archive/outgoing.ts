import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type { ExportProblem } from '@sprites/contract/export';
import type { OutgoingTrees, Quiet, ReadableTree, TreeSource } from '@sprites/core';
import { cloneFile, hasCode } from '@sprites/linux';
import type { ReflinkDisks } from '../reflink/reflink-disks.ts';
import { createUnfinishedName } from '../unfinished.ts';
import { openTree } from './open-tree.ts';
import { type PackedTree, Packer } from './pack.ts';
import { describe, Problems } from './problems.ts';

export type CopyOptions = {
  readonly id: string;
  readonly trees: readonly TreeSource[];
  readonly quiet: Quiet;
  /** is called once when everything is over */
  readonly done: () => void;
  readonly compress: (bytes: AsyncIterable<Uint8Array>, onEnd: () => void) => Readable;
};

/** Copies the image files an export is made of, so that the sprite can go on and its checkpoints can be deleted. */
export async function copyTrees(disks: ReflinkDisks, options: CopyOptions): Promise<OutgoingTrees> {
  await disks.ensureSpace();
  const folder = join(disks.workDir, createUnfinishedName());
  await mkdir(folder, { mode: 0o700 });
  const close = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    options.done();
  };
  const problems: ExportProblem[] = [];
  const files = new Map<string, PackedTree>();
  try {
    for (const source of options.trees) {
      const { treeId, takenAtMs } = source;
      const file = join(folder, `${treeId}.ext4`);
      try {
        await copyOne(disks, options, source, file);
        files.set(treeId, { id: treeId, file, takenAtMs });
      } catch (error) {
        if (hasCode(error, 'ENOSPC')) throw error;
        problems.push({ tree: treeId, reason: describe(error) });
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    await disks.ensureSpace();
    throw error;
  }
  return {
    measure: () => measureAll(files, problems),
    pack: (manifest) => {
      const packer = new Packer({ manifest, trees: files, problems: new Problems(manifest.problems) });
      return options.compress(packer.pack(), () => void close());
    },
    [Symbol.asyncDispose]: close,
  };
}

async function copyOne(
  disks: ReflinkDisks,
  { id, quiet }: CopyOptions,
  { checkpointId }: TreeSource,
  to: string,
): Promise<void> {
  if (checkpointId === undefined) await quiet(() => cloneFile(disks.file(id), to));
  else await cloneFile(await disks.checkpointFile(id, checkpointId), to);
}

async function measureAll(
  files: ReadonlyMap<string, PackedTree>,
  problems: ExportProblem[],
): ReturnType<OutgoingTrees['measure']> {
  const readable: ReadableTree[] = [];
  for (const { id, file } of files.values()) {
    try {
      await using tree = await openTree(file);
      readable.push({ treeId: id, mostBytes: tree.usedBytes, mostEntries: tree.usedInodes });
    } catch (error) {
      problems.push({ tree: id, reason: describe(error) });
    }
  }
  if (readable.length > 0) return { readable, problems };
  throw new SpriteError(
    'checkpoint_damaged',
    `nothing of the sprite can be read: ${problems[0]?.reason ?? ''}`,
  );
}

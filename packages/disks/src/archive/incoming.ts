import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { currentCheckpointId, SpriteError } from '@sprites/contract';
import { type ExportEnd, type ExportManifest, type ExportTree, refuse } from '@sprites/contract/export';
import { cloneFile, hasCode, isAttached, syncDirectory, syncFileSystem } from '@sprites/linux';
import { formatBytes } from '../bytes.ts';
import type { ReflinkDisks } from '../reflink/reflink-disks.ts';
import { createUnfinishedName } from '../unfinished.ts';
import { mountWritable } from './open-tree.ts';
import type { TreePlaces, Unpacker } from './unpack.ts';

export type UnpackOptions = {
  readonly id: string;
  readonly sizeBytes: number;
  readonly manifest: ExportManifest;
  readonly unpacker: Unpacker;
  readonly signal: AbortSignal;
};

/**
 * Makes the disk and the checkpoints of a new sprite from an archive: all of them, durable, or none. Each disk begins as a
 * copy of its base, so what they have in common takes space once.
 */
export async function unpackDisks(disks: ReflinkDisks, options: UnpackOptions): Promise<ExportEnd> {
  checkTrees(options.manifest);
  await checkPromise(disks, options);
  const folder = join(disks.workDir, createUnfinishedName());
  await mkdir(folder, { mode: 0o700 });
  try {
    const end = await options.unpacker.unpack(createPlaces(disks, folder, options.sizeBytes), options.signal);
    await placeAll(disks, folder, options);
    return end;
  } catch (error) {
    await disks.remove(options.id);
    throw await explain(disks, options, error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A tree begins with an earlier one, and each is there once. */
function checkTrees({ trees, checkpoints }: ExportManifest): void {
  const seen = new Set<string>();
  for (const { id, base } of trees) {
    if (seen.has(id)) throw refuse(`tree ${id} comes twice`);
    if (base !== undefined && !seen.has(base)) throw refuse(`tree ${id} begins with one that is not there`);
    seen.add(id);
  }
  const ids = new Set(checkpoints.map(({ id }) => id));
  if (ids.size !== checkpoints.length) throw refuse('a checkpoint comes twice');
  for (const id of seen)
    if (id !== currentCheckpointId && !ids.has(id)) throw refuse(`tree ${id} is of no checkpoint`);
  for (const id of ids) if (!seen.has(id)) throw refuse(`the files of checkpoint ${id} are missing`);
}

/** Refuses before anything is unpacked what is known not to fit. */
async function checkPromise(disks: ReflinkDisks, { manifest, sizeBytes }: UnpackOptions): Promise<void> {
  const mostBytes = Math.max(...manifest.trees.map((tree) => tree.most_bytes));
  if (mostBytes > sizeBytes) throw doesNotFit(mostBytes, sizeBytes);
  await disks.ensureSpace(mostBytes);
}

function createPlaces(disks: ReflinkDisks, folder: string, sizeBytes: number): TreePlaces {
  let sync = async (): Promise<void> => {};
  return {
    open: async (tree) => {
      const file = fileOf(folder, tree);
      const from =
        tree.base === undefined ? await disks.template(sizeBytes) : join(folder, `${tree.base}.ext4`);
      await cloneFile(from, file);
      const mounted = await mountWritable(file);
      const top = await open(`${mounted.path}/upper`, 'r');
      sync = () => syncFileSystem(top.fd);
      return {
        root: Buffer.from(`${mounted.path}/upper`),
        close: async () => {
          sync = async () => {};
          await syncFileSystem(top.fd).finally(() => top.close());
          await mounted.close();
          await settle(file);
        },
      };
    },
    check: async () => {
      // what is still in memory takes space only when it is written
      await sync();
      await disks.ensureSpace();
    },
  };
}

/** Waits until the kernel has let go of the file and all of it is on the host's disk. */
async function settle(file: string): Promise<void> {
  for (let attempt = 0; attempt < 200 && (await isAttached(file)); attempt++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await using handle = await open(file, 'r');
  await handle.sync();
}

/** The disk comes first: a start that finds it without a sprite removes it with its checkpoints. */
async function placeAll(disks: ReflinkDisks, folder: string, { id, manifest }: UnpackOptions): Promise<void> {
  const newest = manifest.trees.at(-1);
  if (newest === undefined) throw refuse('it has no files');
  const disk = disks.file(id);
  const live = manifest.trees.find((tree) => tree.id === currentCheckpointId);
  if (live === undefined) {
    await cloneFile(fileOf(folder, newest), join(folder, `${currentCheckpointId}.ext4`));
  }
  await link(join(folder, `${currentCheckpointId}.ext4`), disk);
  await syncDirectory(dirname(disk));
  const [first, ...others] = manifest.trees.filter((tree) => tree.id !== currentCheckpointId);
  if (first === undefined) return;
  const placeOf = await disks.prepareCheckpoints(id);
  for (const tree of [first, ...others]) await rename(fileOf(folder, tree), placeOf(tree.id));
  await syncDirectory(dirname(placeOf(first.id)));
}

function fileOf(folder: string, tree: ExportTree): string {
  return join(folder, `${tree.id}.ext4`);
}

async function explain(
  disks: ReflinkDisks,
  { manifest, sizeBytes }: UnpackOptions,
  error: unknown,
): Promise<unknown> {
  if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS')) return error;
  // the pool ran full below the disk, or the disk did
  await disks.ensureSpace();
  const mostBytes = Math.max(...manifest.trees.map((tree) => tree.most_bytes));
  return doesNotFit(mostBytes, sizeBytes, error);
}

function doesNotFit(neededBytes: number, sizeBytes: number, cause?: unknown): SpriteError {
  return new SpriteError(
    'out_of_space',
    `the files of the sprite take up to ${formatBytes(neededBytes)}, and its disk here has ${formatBytes(sizeBytes)}; ` +
      'raise SPRITES_DISK_GB of this server',
    { cause },
  );
}

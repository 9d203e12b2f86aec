import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { ViewSource } from '@sprites/core';
import {
  attachLoop,
  cloneFile,
  type DetachedMount,
  type Ext4Superblock,
  hasCode,
  mountDetached,
  readExt4Superblock,
} from '@sprites/linux';
import { createUnfinishedName } from '../unfinished.ts';

/** Where disks and checkpoints are. */
export type DiskFiles = {
  file(id: string): string;
  /** Throws `checkpoint_not_found`. */
  checkpointFile(id: string, checkpointId: string): Promise<string>;
  /** directory of their file system for copies that live for a moment */
  readonly workDir: string;
  ensureSpace(): Promise<void>;
};

/** A disk mounted read-only where only this process reaches it. */
export type OpenDisk = AsyncDisposable & {
  readonly path: string;
  /** when it was saved, or somewhat earlier; in seconds since the epoch */
  readonly savedAtS: number;
  /** descriptor of the file that holds it, when it was left in order */
  readonly fd: number | undefined;
};

/** Mounts the disk as it is saved or, for a live one, as it is at this moment. */
export async function openDisk(files: DiskFiles, source: ViewSource): Promise<OpenDisk> {
  const { diskId, checkpointId } = source;
  if (checkpointId === undefined) {
    const quiet = source.quiet ?? ((clone) => clone());
    return openCopy(files, files.file(diskId), quiet);
  }
  const file = await files.checkpointFile(diskId, checkpointId);
  try {
    // a disk that was saved after its host had lost power holds changes in its journal only
    const superblock = await readExt4Superblock(file);
    if (!superblock.isClean) return await openCopy(files, file, (clone) => clone());
    return await mountFile(file, superblock);
  } catch (cause) {
    if (!hasCode(cause, 'EINVAL', 'EIO', 'EUCLEAN', 'EBADMSG', 'ENODATA')) throw cause;
    throw new SpriteError('checkpoint_damaged', `checkpoint ${checkpointId} holds no readable disk`, {
      cause,
    });
  }
}

/** Mounts a base image file the same way. */
export async function openImage(file: string): Promise<DetachedMount> {
  try {
    return await mountDetached({ type: 'erofs', source: file });
  } catch (error) {
    // kernels before 6.12 mount block devices only
    if (!hasCode(error, 'ENOTBLK', 'EINVAL')) throw error;
    await using device = await attachLoop({ file, readOnly: true });
    return await mountDetached({ type: 'erofs', source: device.path });
  }
}

/** The copy has no name from the moment it is mounted, so nothing can be left of it. */
async function openCopy(
  files: DiskFiles,
  file: string,
  quiet: (clone: () => Promise<void>) => Promise<void>,
): Promise<OpenDisk> {
  await files.ensureSpace();
  const copy = join(files.workDir, createUnfinishedName());
  try {
    await quiet(() => cloneFile(file, copy));
    return await mountFile(copy, await readExt4Superblock(copy));
  } finally {
    await rm(copy, { force: true });
  }
}

/** The kernel replays the journal of what is attached for writing, also for a mount that is read-only. */
async function mountFile(file: string, { isClean, writtenAtS }: Ext4Superblock): Promise<OpenDisk> {
  await using opened = new AsyncDisposableStack();
  const handle = isClean ? opened.use(await open(file, 'r')) : undefined;
  await using device = await attachLoop({ file, readOnly: isClean });
  const options = { errors: 'continue', ...(isClean ? { noload: true as const } : {}) };
  const mounted = opened.use(await mountDetached({ type: 'ext4', source: device.path, options }));
  const kept = opened.move();
  return {
    path: mounted.path,
    savedAtS: writtenAtS,
    fd: handle?.fd,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { ViewSource } from '@sprites/core';
import { attachLoop, cloneFile, type DetachedMount, hasCode, mountDetached } from '@sprites/linux';
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
};

// ext4: the superblock is at 1024; in it are s_wtime at 0x30, s_feature_incompat at 0x60 and the high byte of s_wtime at 0x274
const superblockAt = 1024;
const superblockBytes = 1024;
const needsRecovery = 0x4;

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
    const superblock = await readSuperblock(file);
    if (superblock.hasJournal) return await openCopy(files, file, (clone) => clone());
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
    return await mountFile(copy, await readSuperblock(copy));
  } finally {
    await rm(copy, { force: true });
  }
}

type Superblock = {
  /** changes are in the journal that are not yet where they belong */
  readonly hasJournal: boolean;
  readonly writtenAtS: number;
};

/** The kernel replays the journal of what is attached for writing, also for a mount that is read-only. */
async function mountFile(file: string, { hasJournal, writtenAtS }: Superblock): Promise<OpenDisk> {
  await using device = await attachLoop({ file, readOnly: !hasJournal });
  const options = { errors: 'continue', ...(hasJournal ? {} : { noload: true as const }) };
  const mounted = await mountDetached({ type: 'ext4', source: device.path, options });
  return { path: mounted.path, savedAtS: writtenAtS, [Symbol.asyncDispose]: () => mounted.close() };
}

async function readSuperblock(file: string): Promise<Superblock> {
  await using handle = await open(file, 'r');
  const { buffer } = await handle.read(Buffer.alloc(superblockBytes), 0, superblockBytes, superblockAt);
  return {
    hasJournal: (buffer.readUInt32LE(0x60) & needsRecovery) !== 0,
    writtenAtS: buffer.readUInt32LE(0x30) + buffer.readUInt8(0x274) * 2 ** 32,
  };
}

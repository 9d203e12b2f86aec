import { access, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@sprites/linux';

const spareBytes = 256 * 1024;
/** free space in bytes below which a start needs the spare */
const scarceBytes = 4 * 1024 * 1024;

/**
 * Gives back the space that is kept on a mounted disk for its next start, when the sprite has left hardly any. Without a
 * free block overlayfs cannot make its work directory and silently mounts read-only: nobody could ever remove a file.
 */
export async function releaseSpareSpace(disk: string): Promise<void> {
  if (await isScarce(disk)) await rm(spareFile(disk), { force: true });
}

/** Keeps space on a mounted disk for its next start, out of the sprite's reach; before the sprite runs. */
export async function keepSpareSpace(disk: string): Promise<void> {
  if (await isThere(spareFile(disk))) return;
  try {
    // not zeros, which could be stored as nothing
    await writeFile(spareFile(disk), Buffer.alloc(spareBytes, 0xff), { mode: 0o600 });
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EROFS')) throw error;
    // the part that fitted stays, and helps as well
  }
}

function spareFile(disk: string): string {
  return join(disk, 'spare');
}

async function isScarce(disk: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(disk);
  return bavail * bsize < scarceBytes;
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

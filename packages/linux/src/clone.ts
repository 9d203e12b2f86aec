import { constants } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './syscall.ts';

const unsupportedCodes = ['ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'EINVAL', 'EXDEV', 'ENOSYS'];

/** Makes `to` a copy of `from` that shares its blocks; fails when `to` exists or the file system cannot share. */
export async function cloneFile(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
}

/** Whether files of this directory can share blocks, found out by cloning one. */
export async function canClone(directory: string): Promise<boolean> {
  const probe = await mkdtemp(join(directory, '.clone-probe-'));
  try {
    await writeFile(join(probe, 'from'), Buffer.alloc(64 * 1024, 1));
    await cloneFile(join(probe, 'from'), join(probe, 'to'));
    return true;
  } catch (error) {
    if (hasCode(error, ...unsupportedCodes)) return false;
    throw error;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

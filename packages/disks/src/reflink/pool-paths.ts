import { realpath, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { hasCode, unmountPool } from '@sprites/linux';

/**
 * Unmounts the pool of a data directory if it is mounted; fails with `unavailable` while a disk is in use. Removing the
 * mount point also ends the copies of the mount that other programs got with a mount namespace of their own.
 */
export async function releasePool(dataDir: string): Promise<void> {
  const paths = await poolPaths(dataDir);
  try {
    await unmountPool(paths.directory);
    await removeEmpty(paths.directory);
  } catch (cause) {
    if (!hasCode(cause, 'EBUSY')) throw cause;
    throw new SpriteError('unavailable', 'the disk pool is in use; stop all sprites of this server first', {
      cause,
    });
  }
}

/** Without a pool file the directory is the pool itself: then it is not empty and stays. */
async function removeEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  });
}

/** Where the parts of a pool are; symbolic links are resolved, as the kernel reports mounts that way. */
export type PoolPaths = {
  readonly directory: string;
  readonly file: string;
  readonly disks: string;
  readonly templates: string;
  readonly checkpoints: string;
};

/** Finds them below a data directory, which must exist. */
export async function poolPaths(dataDir: string): Promise<PoolPaths> {
  const base = await realpath(dataDir);
  const directory = join(base, 'pool');
  return {
    directory,
    file: join(base, 'pool.img'),
    disks: join(directory, 'disks'),
    templates: join(directory, 'templates'),
    checkpoints: join(directory, 'checkpoints'),
  };
}

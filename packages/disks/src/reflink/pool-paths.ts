import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { hasCode, unmountPool } from '@sprites/linux';

/** Unmounts the pool of a data directory if it is mounted; fails with `unavailable` while a disk is in use. */
export async function releasePool(dataDir: string): Promise<void> {
  const paths = await poolPaths(dataDir);
  try {
    await unmountPool(paths.directory);
  } catch (cause) {
    if (!hasCode(cause, 'EBUSY')) throw cause;
    throw new SpriteError('unavailable', 'the disk pool is in use; stop all sprites of this server first', {
      cause,
    });
  }
}

/** Where the parts of a pool are; symbolic links are resolved, as the kernel reports mounts that way. */
export type PoolPaths = {
  readonly directory: string;
  readonly file: string;
  readonly disks: string;
  readonly templates: string;
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
  };
}

import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { type FileLock, tryLockFile } from '@sprites/linux';

/** Takes a data directory for this process alone; the lock also ends with the process. Throws `unavailable`. */
export async function lockDataDir(dataDir: string): Promise<FileLock> {
  const lock = await tryLockFile(join(dataDir, 'server.lock'));
  if (lock !== undefined) return lock;
  throw new SpriteError(
    'unavailable',
    'another server uses this data directory; stop it, or give this one a SPRITES_DATA_DIR of its own',
  );
}

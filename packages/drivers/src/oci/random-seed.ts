import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hasCode } from '@sprites/linux';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const seedBytes = 512;
const directories = ['var', 'lib', 'systemd'];

/** What a sprite may have put there instead, or its state; it must start all the same. */
const passedOver = 'ENOENT EISDIR ENOTDIR ELOOP ENXIO EACCES EPERM ETXTBSY ENOSPC EDQUOT EROFS'.split(' ');

/**
 * Renews the random seed that an init system has saved on the disk, where there is one: a fork and a restored disk begin
 * with their origin's. To be called before anything runs in the machine; no path inside is followed.
 */
export async function renewRandomSeed(root: string): Promise<void> {
  const held: FileHandle[] = [];
  try {
    let at = root;
    for (const name of directories) {
      const dir = await open(`${at}/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      held.push(dir);
      at = `/proc/self/fd/${dir.fd}`;
    }
    const seed = await open(`${at}/random-seed`, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    held.push(seed);
    if (!(await seed.stat()).isFile()) return;
    await seed.write(randomBytes(seedBytes), 0, seedBytes, 0);
    await seed.truncate(seedBytes);
  } catch (error) {
    if (!hasCode(error, ...passedOver)) throw error;
  } finally {
    for (const handle of held) await handle.close();
  }
}

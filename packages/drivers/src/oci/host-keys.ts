import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rm } from 'node:fs/promises';
import { hasCode } from '@sprites/linux';

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
const directories = ['etc', 'ssh'];
const keyPattern = /^ssh_host_[a-z0-9]{1,20}_key(\.pub|-cert\.pub)?$/;
/** By this file the agent knows that there were keys, so that new ones are to be made. */
const wanted = 'ssh_host_keys.wanted';
/** What a sprite may have put there instead, or its state; it must start all the same. */
const passedOver = 'ENOENT EISDIR ENOTDIR ELOOP ENXIO EACCES EPERM ENOSPC EDQUOT EROFS'.split(' ');

/**
 * Removes the SSH host keys of a root file system at a sprite's first boot: they are those of its origin or of its image.
 * The agent makes new ones. To be called before anything runs in the machine; no path inside is followed.
 */
export async function dropHostKeys(root: string, owner: number): Promise<void> {
  const held: FileHandle[] = [];
  try {
    let at = root;
    for (const name of directories) {
      const dir = await open(`${at}/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      held.push(dir);
      at = `/proc/self/fd/${dir.fd}`;
    }
    const keys = (await readdir(at)).filter((name) => keyPattern.test(name));
    if (keys.length === 0) return;
    // first: should this be cut short, the rest is done at the next start
    await leaveNote(`${at}/${wanted}`, owner).catch((error: unknown) => {
      // better no keys than those of another sprite
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    });
    for (const name of keys) if (!(await lstat(`${at}/${name}`)).isDirectory()) await rm(`${at}/${name}`);
  } catch (error) {
    if (!hasCode(error, ...passedOver)) throw error;
  } finally {
    for (const handle of held) await handle.close();
  }
}

async function leaveNote(path: string, owner: number): Promise<void> {
  await using note = await open(path, O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  await note.chown(owner, owner);
}

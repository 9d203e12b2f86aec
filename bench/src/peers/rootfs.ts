import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Programs of the host, mounted into the root below. */
export const hostPrograms = '/usr';

/** Makes a directory with a root file system that has no programs of its own; returns the directory. */
export async function makeRootfs(prefix: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), prefix));
  for (const name of ['proc', 'dev', 'sys', 'etc', 'tmp', 'run', 'usr']) {
    await mkdir(path.join(folder, 'rootfs', name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await symlink(`usr/${name}`, path.join(folder, 'rootfs', name));
  }
  return folder;
}

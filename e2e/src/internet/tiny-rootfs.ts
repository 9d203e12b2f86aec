import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder, runProgram } from '../program.ts';

const applets = ['sh', 'cat', 'echo', 'env', 'id', 'ls', 'sleep', 'touch', 'uname'];

/** Writes the tar of a root file system that is one static program: it has no libc, no Python, no certificates. */
export async function writeTinyRootfs(file: string, release: string): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'tiny-'));
  try {
    for (const folder of ['bin', 'etc', 'root']) await mkdir(path.join(root, folder));
    await copyFile(await fetchBusybox(), path.join(root, 'bin/busybox'));
    for (const applet of applets) await symlink('busybox', path.join(root, 'bin', applet));
    await writeFile(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    await writeFile(path.join(root, 'etc/group'), 'root:x:0:\n');
    await writeFile(path.join(root, 'etc/release'), `${release}\n`);
    await runProgram('tar', ['-C', root, '-cf', file, '.']);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The static busybox of Debian, kept between runs; installing it would remove the host's own. */
async function fetchBusybox(): Promise<string> {
  const folder = path.join(cacheFolder, 'busybox');
  const kept = path.join(folder, 'busybox');
  if (await exists(kept)) return kept;
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(path.join(folder, 'fetch-'));
  try {
    await runProgram('apt-get', ['download', 'busybox-static'], { cwd: scratch });
    const archive = (await readdir(scratch)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download left no package');
    await runProgram('dpkg-deb', ['--extract', path.join(scratch, archive), scratch]);
    await rename(path.join(scratch, 'bin/busybox'), kept);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return kept;
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

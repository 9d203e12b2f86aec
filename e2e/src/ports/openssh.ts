import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../program.ts';

const run = promisify(execFile);
const packages = ['openssh-server', 'libwrap0'];

/**
 * A directory with the OpenSSH server of this host's Debian and every library it needs, loader included, so that it runs in any
 * sprite: `ld.so --library-path <dir> <dir>/sshd`. Fetched once and kept.
 */
export async function prepareOpenSsh(): Promise<string> {
  const folder = path.join(cacheFolder, 'openssh');
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  await mkdir(cacheFolder, { recursive: true });
  const draft = await mkdtemp(path.join(cacheFolder, 'openssh-'));
  const unpacked = path.join(draft, 'unpacked');
  await run('apt-get', ['download', ...packages], { cwd: draft });
  for (const name of await readdir(draft)) {
    if (name.endsWith('.deb')) await run('dpkg', ['-x', path.join(draft, name), unpacked]);
  }
  const result = path.join(draft, 'openssh');
  await mkdir(result);
  const sshd = path.join(unpacked, 'usr/sbin/sshd');
  await copyFile(sshd, path.join(result, 'sshd'));
  const libraries = path.join(unpacked, 'usr/lib/x86_64-linux-gnu');
  const own = path.join(unpacked, 'lib/x86_64-linux-gnu');
  const { stdout } = await run('ldd', [sshd], {
    env: { ...process.env, LD_LIBRARY_PATH: `${libraries}:${own}` },
  });
  for (const [, name = '', file = ''] of stdout.matchAll(/(\S+) (?:=> (\S+) )?\(0x/g)) {
    if (file.startsWith('/')) await copyFile(file, path.join(result, name));
    else if (name.startsWith('/')) await copyFile(name, path.join(result, 'ld.so'));
  }
  await rename(result, folder);
  await run('rm', ['-rf', draft]);
  return folder;
}

import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineSpec } from '@sprites/core';
import { hasCode } from '@sprites/linux';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const mostBytes = 65_536;
const mountPoints = ['.sprite', 'dev', 'proc', 'sys'];

/**
 * Writes what names the machine into its root file system before anything runs in it: /etc/hostname, /etc/resolv.conf
 * and, unless it knows the name already, /etc/hosts. They are ordinary files of the sprite, so package upgrades can
 * replace them. No path inside is followed: each step opens one name below a directory that is held open.
 */
export async function writeIdentity(root: string, spec: MachineSpec, firstId: number): Promise<void> {
  for (const name of mountPoints) await ensureDirectory(root, name, firstId);
  await ensureDirectory(root, 'etc', firstId);
  await using etc = await open(join(root, 'etc'), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const dir = `/proc/self/fd/${etc.fd}`;
  const put = async (name: string, text: string): Promise<void> => {
    if ((await readSmall(join(dir, name))) !== text) await replace(dir, name, text, firstId);
  };
  await put('hostname', `${spec.hostname}\n`);
  await put('resolv.conf', spec.resolvConf);
  const hosts = (await readSmall(join(dir, 'hosts'))) ?? '';
  if (!hosts.split(/\s+/).includes(spec.hostname))
    await replace(dir, 'hosts', createHosts(spec.hostname), firstId);
}

function createHosts(hostname: string): string {
  return [
    '127.0.0.1 localhost',
    `127.0.1.1 ${hostname}`,
    '::1 localhost ip6-localhost ip6-loopback',
    '',
  ].join('\n');
}

/** A sprite may have put anything where a mount point must be; what is no directory is put aside. */
async function ensureDirectory(root: string, name: string, firstId: number): Promise<void> {
  const path = join(root, name);
  try {
    if ((await lstat(path)).isDirectory()) return;
    await rename(path, `${path}.replaced`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await mkdir(path, { mode: 0o755 });
  await using dir = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await dir.chown(firstId, firstId);
}

/** Text of a regular file of reasonable size; anything else reads as undefined. */
async function readSmall(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP', 'ENXIO', 'EACCES')) return undefined;
    throw error;
  }
  await using _ = file;
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > mostBytes) return undefined;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

/** A rename replaces whatever has the name, also a link, without following it. */
async function replace(dir: string, name: string, text: string, owner: number): Promise<void> {
  const draft = join(dir, `.${name}.sprite-new`);
  await rm(draft, { recursive: true, force: true });
  {
    await using file = await open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o644);
    await file.chown(owner, owner);
    await file.chmod(0o644);
    await file.writeFile(text);
  }
  await removeIfDirectory(join(dir, name));
  await rename(draft, join(dir, name));
}

async function removeIfDirectory(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) await rename(path, `${path}.replaced`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineSpec } from '@sprites/core';
import { hasCode } from '@sprites/linux';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const mostBytes = 65_536;
const mostAccountBytes = 16 * 1024 * 1024;
const mountPoints = ['.sprite', 'dev', 'proc', 'sys'];

/**
 * Writes what names the machine into its root file system before anything runs in it: /etc/resolv.conf, what `writeName`
 * writes unless it has no name yet, and at a sprite's first boot a new /etc/machine-id. They are ordinary files of the
 * sprite, so package upgrades can replace them. No path inside is followed: each step opens one name below a directory
 * that is held open.
 */
export async function writeIdentity(root: string, spec: MachineSpec, firstId: number): Promise<void> {
  for (const name of mountPoints) await ensureDirectory(root, name, firstId);
  await ensureDirectory(root, 'etc', firstId);
  await changeEtc(root, firstId, async (put, dir) => {
    for (const name of ['passwd', 'group']) await ensureReadable(join(dir, name));
    // a fork begins with the id of its origin
    if (spec.incarnation === 1) await put('machine-id', () => `${randomBytes(16).toString('hex')}\n`);
    if (spec.hostname !== undefined) await putName(put, spec.hostname);
    await put('resolv.conf', () => spec.resolvConf);
  });
}

/** Writes /etc/hostname and, unless it knows the name already, /etc/hosts into a root file system that has an /etc. */
export async function writeName(root: string, hostname: string, firstId: number): Promise<void> {
  await changeEtc(root, firstId, (put) => putName(put, hostname));
}

/** Replaces a file of /etc by what `change` makes of it. */
type Put = (name: string, change: (present: FileText) => FileText) => Promise<void>;

async function putName(put: Put, hostname: string): Promise<void> {
  await put('hostname', () => `${hostname}\n`);
  await put('hosts', (present) => addHost(present, hostname));
}

async function changeEtc(
  root: string,
  firstId: number,
  work: (put: Put, dir: string) => Promise<void>,
): Promise<void> {
  await using etc = await open(join(root, 'etc'), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const dir = `/proc/self/fd/${etc.fd}`;
  const put: Put = async (name, change) => {
    const present = await readText(join(dir, name));
    const wanted = change(present);
    if (typeof wanted === 'string' && wanted !== present) await replace(dir, name, wanted, firstId);
  };
  try {
    await work(put, dir);
  } catch (error) {
    // a sprite whose disk is full must start all the same, or nobody could ever make room on it
    if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS')) throw error;
  }
}

/** Keeps what people wrote into the file. */
function addHost(present: FileText, hostname: string): FileText {
  if (present === tooLong) return present;
  const text = present ?? '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n';
  if (text.split(/\s+/).includes(hostname)) return present;
  return `${text}${text.endsWith('\n') || text === '' ? '' : '\n'}127.0.1.1 ${hostname}\n`;
}

/** The runtime reads the accounts before anything runs: what would keep it waiting or busy is put aside. */
async function ensureReadable(path: string): Promise<void> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile() || stats.size > mostAccountBytes) await putAside(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

const tooLong = Symbol('too long');
/** Text of a file; undefined when there is none that can be read as text. */
type FileText = string | typeof tooLong | undefined;

/** A sprite may have put anything where a mount point must be; what is no directory is put aside. */
async function ensureDirectory(root: string, name: string, firstId: number): Promise<void> {
  const path = join(root, name);
  try {
    if ((await lstat(path)).isDirectory()) return;
    await putAside(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await mkdir(path, { mode: 0o755 });
  await using dir = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await dir.chown(firstId, firstId);
}

/** A name of its own each time: whatever a sprite put at a fixed one could stand in the way for ever. */
async function putAside(path: string): Promise<void> {
  await rename(path, `${path}.replaced-${randomBytes(6).toString('hex')}`);
}

async function readText(path: string): Promise<FileText> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP', 'ENXIO', 'EACCES')) return undefined;
    throw error;
  }
  await using _ = file;
  const stats = await file.stat();
  if (!stats.isFile()) return undefined;
  if (stats.size > mostBytes) return tooLong;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

/** A rename replaces whatever has the name, also a link, without following it. */
async function replace(dir: string, name: string, text: string, owner: number): Promise<void> {
  const draft = join(dir, `.${name}.${randomBytes(6).toString('hex')}`);
  try {
    await writeDraft(draft, text, owner);
    await putAsideDirectory(join(dir, name));
    await rename(draft, join(dir, name));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function writeDraft(draft: string, text: string, owner: number): Promise<void> {
  await using file = await open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o644);
  await file.chown(owner, owner);
  await file.chmod(0o644);
  await file.writeFile(text);
}

async function putAsideDirectory(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) await putAside(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import koffi from 'koffi';
import { withQuickGracePeriods } from './rcu.ts';
import { defineCall, hasCode } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'long'], 'ioctl of a file system');
const syncfs = defineCall('syncfs', 'int', ['int']);
const ioctlAtOnce = koffi.load('libc.so.6').func('ioctl', 'int', ['int', 'ulong', 'long']);

const fifreeze = 0xc0045877;
const fithaw = 0xc0045878;
const defaultMaxFrozenMs = 10_000;
const maxSyncRounds = 3;
const quickSyncMs = 10;

/**
 * Writes out the file system mounted at `path`, freezes it, runs `work` and thaws it, whatever happens. Writers wait for
 * as long as `work` takes but never longer than `maxFrozenMs`: then they go on, and this rejects when `work` has ended,
 * as the file system moved under it. Anything but a mount point is refused: it would freeze what is around it.
 */
export async function withFrozenFileSystem<T>(
  path: string,
  work: () => Promise<T>,
  { maxFrozenMs = defaultMaxFrozenMs } = {},
): Promise<T> {
  await using directory = await openMountPoint(path);
  if (directory === undefined) throw new Error(`${path} is not a mount point and cannot be frozen`);
  const { fd } = directory;
  await writeOut(fd);
  // The kernel waits for three grace periods, and holds up writers during the last two.
  await withQuickGracePeriods(() => ioctl(fd, fifreeze, 0));
  const overdue = AbortSignal.timeout(maxFrozenMs);
  // Not through the thread pool: its threads may be what waits for this file system.
  const onOverdue = (): void => void ioctlAtOnce(fd, fithaw, 0);
  overdue.addEventListener('abort', onOverdue);
  let stoodStill = false;
  let result: T;
  try {
    result = await work();
  } finally {
    overdue.removeEventListener('abort', onOverdue);
    stoodStill = await thaw(fd);
  }
  if (stoodStill) return result;
  throw new Error(`the file system at ${path} was thawed after ${maxFrozenMs} ms or by somebody else`);
}

/**
 * Freezes the file system mounted at `path` until somebody thaws it: every write waits, from now on and not only once
 * what is in memory has been written out. False when it was frozen before, or nothing is mounted there.
 */
export async function freezeFileSystem(path: string): Promise<boolean> {
  await using directory = await openMountPoint(path);
  if (directory === undefined) return false;
  const { fd } = directory;
  try {
    await withQuickGracePeriods(() => ioctl(fd, fifreeze, 0));
    return true;
  } catch (error) {
    if (hasCode(error, 'EBUSY')) return false;
    throw error;
  }
}

/** Thaws the file system mounted at `path`; false when it is not frozen or nothing is mounted there. */
export async function thawFileSystem(path: string): Promise<boolean> {
  await using directory = await openMountPoint(path);
  return directory !== undefined && (await thaw(directory.fd));
}

/** What is dirty when the freeze begins is written while writers wait: repeats until that is little. */
async function writeOut(fd: number): Promise<void> {
  for (let round = 1; round <= maxSyncRounds; round++) {
    const startedAt = performance.now();
    await syncfs(fd);
    if (performance.now() - startedAt < quickSyncMs) return;
  }
}

async function thaw(fd: number): Promise<boolean> {
  try {
    await ioctl(fd, fithaw, 0);
    return true;
  } catch (error) {
    if (hasCode(error, 'EINVAL')) return false;
    throw error;
  }
}

async function openMountPoint(path: string): Promise<FileHandle | undefined> {
  let directory: FileHandle;
  try {
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const [own, parent] = await Promise.all([directory.stat(), stat(join(path, '..'))]);
  if (own.dev !== parent.dev) return directory;
  await directory.close();
  return undefined;
}

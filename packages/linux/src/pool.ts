import { constants } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachLoop } from './loop.ts';
import { listMounts, type Mount, mount, unmount } from './mount.ts';
import { hasCode } from './syscall.ts';
import { runTool } from './tool.ts';

const maxAttempts = 20;
const pauseMs = 50;

/** Makes a sparse file with an XFS whose files can share blocks. The file appears whole or not at all. */
export async function makePoolFile(file: string, sizeBytes: number, signal?: AbortSignal): Promise<void> {
  const unfinished = `${file}.new`;
  await rm(unfinished, { force: true });
  await using handle = await open(unfinished, 'wx', 0o600);
  await handle.truncate(sizeBytes);
  await runTool(['mkfs.xfs', '-q', '-m', 'reflink=1', unfinished], { signal });
  await handle.sync();
  await rename(unfinished, file);
  await syncDirectory(dirname(file));
}

/** Mounts the pool file on the directory, unless it is mounted there already. */
export async function mountPool(file: string, directory: string): Promise<void> {
  const mounted = await findMount(directory);
  if (mounted !== undefined) return checkBackingFile(mounted, file, directory);
  // Without direct I/O every page of a disk is cached once more, for the pool's file.
  await using device = await retryWhile('EAGAIN', () => attachLoop({ file, directIo: true }));
  await mount({
    source: device.path,
    target: directory,
    type: 'xfs',
    flags: ['noatime', 'nodev', 'nosuid', 'noexec'],
    data: 'discard',
  });
}

/** Unmounts the directory if something is mounted there; fails with `EBUSY` when it stays in use. */
export async function unmountPool(directory: string): Promise<void> {
  await retryWhile('EBUSY', async () => {
    while (await unmount(directory));
  });
}

/** Makes a rename or removal in this directory survive a power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  await handle.sync();
}

/** The kernel lets go of a loop device some time after the unmount, and of the file and the mount below only then. */
async function retryWhile<T>(code: string, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!hasCode(error, code) || attempt === maxAttempts) throw error;
    }
    await sleep(pauseMs);
  }
}

async function findMount(directory: string): Promise<Mount | undefined> {
  return (await listMounts()).findLast((each) => each.target === directory);
}

async function checkBackingFile(mounted: Mount, file: string, directory: string): Promise<void> {
  const attribute = `/sys/block/${basename(mounted.source)}/loop/backing_file`;
  // not a loop device: then there is no such attribute
  const backing = await readFile(attribute, 'utf8').catch(() => '');
  if (backing.trimEnd() === file) return;
  throw new Error(
    `${mounted.source} is mounted on the disk pool ${directory}, not the pool's own file; unmount it and start again`,
  );
}

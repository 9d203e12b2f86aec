import { open } from 'node:fs/promises';
import { defineCall } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'long']);
const syncfs = defineCall('syncfs', 'int', ['int']);

const fifreeze = 0xc0045877;
const fithaw = 0xc0045878;

/**
 * Writes out the file system mounted at `path`, freezes it, runs `work` and thaws it, whatever happens.
 * Writers inside wait for as long as `work` takes.
 */
export async function withFrozenFileSystem<T>(path: string, work: () => Promise<T>): Promise<T> {
  await using directory = await open(path, 'r');
  await syncfs(directory.fd);
  await ioctl(directory.fd, fifreeze, 0);
  try {
    return await work();
  } finally {
    await ioctl(directory.fd, fithaw, 0);
  }
}

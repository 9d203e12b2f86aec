import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { defineCall, hasCode } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'void *']);
const flock = defineCall('flock', 'int', ['int', 'int']);

const loopCtlGetFree = 0x4c82;
const loopConfigure = 0x4c0a;
const configSizeBytes = 304;
const flagsOffset = 60;
const nameOffset = 64;
const nameSizeBytes = 64;
const flagReadOnly = 1;
const flagAutoclear = 4;
const flagDirectIo = 16;
const lockExclusive = 2;
const lockNonBlocking = 4;
const maxAttempts = 64;

export type LoopOptions = {
  readonly file: string;
  readonly readOnly?: boolean;
  /** skip the page cache of the file below; ignored by the kernel where the file cannot do it */
  readonly directIo?: boolean;
};

/** A file that is a block device until it is neither mounted nor held open. */
export interface LoopDevice extends AsyncDisposable {
  /** `/dev/loopN` */
  readonly path: string;
  /** Lets go of the device; unless it is mounted by then, the kernel detaches it. */
  close(): Promise<void>;
}

/**
 * Attaches `file` to a free loop device that detaches itself after the last unmount or close. A writable attachment
 * takes an exclusive flock(2) that lives as long as the kernel holds the file, so a file is never attached for
 * writing twice, whichever process tries: the second attempt fails with `EAGAIN`.
 */
export async function attachLoop({
  file,
  readOnly = false,
  directIo = false,
}: LoopOptions): Promise<LoopDevice> {
  await using backing = await open(file, readOnly ? 'r' : 'r+');
  if (!readOnly) await flock(backing.fd, lockExclusive | lockNonBlocking);
  const flags = flagAutoclear | (readOnly ? flagReadOnly : 0) | (directIo ? flagDirectIo : 0);
  const config = encodeConfig(backing.fd, file, flags);
  await using control = await open('/dev/loop-control', 'r+');
  for (let attempt = 1; ; attempt++) {
    const number = await ioctl(control.fd, loopCtlGetFree, null);
    const path = `/dev/loop${number}`;
    const device = await open(path, readOnly ? 'r' : 'r+');
    try {
      await ioctl(device.fd, loopConfigure, config);
      return new OpenLoopDevice(path, device);
    } catch (error) {
      await device.close();
      // another process took the free device between the two calls
      if (!hasCode(error, 'EBUSY') || attempt === maxAttempts) throw error;
    }
  }
}

/** True while a loop device holds `file` for writing; false also when the file is gone. */
export async function isAttached(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'r');
    await flock(handle.fd, lockExclusive | lockNonBlocking);
    return false;
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return true;
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The files that loop devices hold, also those that were deleted since. */
export async function listLoopFiles(): Promise<readonly string[]> {
  const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(
    devices.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return files.filter((file) => file !== '').map((file) => file.trimEnd().replace(/ \(deleted\)$/, ''));
}

class OpenLoopDevice implements LoopDevice {
  readonly path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** `struct loop_config` of linux/loop.h: fd, block size, `struct loop_info64`, reserved. */
function encodeConfig(fd: number, file: string, flags: number): Buffer {
  const config = Buffer.alloc(configSizeBytes);
  config.writeUInt32LE(fd, 0);
  config.writeUInt32LE(flags, flagsOffset);
  config.write(file, nameOffset, nameSizeBytes - 1, 'utf8');
  return config;
}

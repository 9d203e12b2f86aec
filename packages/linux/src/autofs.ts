import { closeSync, openSync } from 'node:fs';
import { type FileHandle, mkdir, open, rmdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import koffi from 'koffi';
import { listMounts, mount, unmountLazily } from './mount.ts';
import { defineCall, hasCode } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'void *'], 'ioctl of autofs');
const ioctlNumber = defineCall('ioctl', 'int', ['int', 'ulong', 'long'], 'ioctl of autofs');
const libc = koffi.load('libc.so.6');
const pipe2 = libc.func('pipe2', 'int', ['void *', 'int']);
const getpgrp = libc.func('getpgrp', 'int', []);

const closeOnExec = 0o2000000;
// linux/auto_fs.h and auto_dev-ioctl.h
const openMount = 0xc018_9374;
const ready = 0x9360;
const fail = 0x9361;
const catatonic = 0x9362;
const requestBytes = 24;
const packetBytes = 304;
const tokenAt = 8;
const lengthAt = 40;
const nameAt = 44;

/** Mounts something at a name in the directory. False when there is nothing to be mounted. */
export type OnTrigger = (name: string) => Promise<boolean>;

/**
 * A directory in which something is mounted at a name when a program first looks into it; the program waits for it
 * meanwhile. Processes of this one's group go past that. When this process ends, programs wait until another one opens
 * the directory anew, and find nothing then.
 */
export class AutofsDirectory {
  readonly #path: string;
  readonly #root: FileHandle;
  readonly #reader: Socket;

  private constructor(path: string, root: FileHandle, reader: Socket) {
    this.#path = path;
    this.#root = root;
    this.#reader = reader;
  }

  /** Takes the place of what an earlier process opened there. What is mounted on the directory itself is covered. */
  static async open(path: string, onTrigger: OnTrigger): Promise<AutofsDirectory> {
    await clearAutofs(path);
    const { reader, writeFd } = openPipe();
    try {
      const options = `fd=${writeFd},pgrp=${getpgrp()},minproto=5,maxproto=5,indirect`;
      await mount({ source: 'sprites', target: path, type: 'autofs', data: options });
    } finally {
      closeSync(writeFd);
    }
    const directory = new AutofsDirectory(path, await open(path, 'r'), reader);
    directory.#listen(onTrigger);
    return directory;
  }

  /** Adds a name. */
  async add(name: string): Promise<void> {
    await mkdir(join(this.#path, name));
  }

  /** Takes a name away with what is mounted there; who has that open keeps it. */
  async remove(name: string): Promise<void> {
    while (await unmountLazily(join(this.#path, name)));
    await rmdir(join(this.#path, name));
  }

  /** Takes everything away; who waits finds nothing. */
  async close(): Promise<void> {
    await clearAutofs(this.#path);
    this.#reader.destroy();
    await this.#root.close();
  }

  #listen(onTrigger: OnTrigger): void {
    let rest: Buffer = Buffer.alloc(0);
    this.#reader.unref().on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= packetBytes; rest = rest.subarray(packetBytes)) {
        const name = rest.toString('utf8', nameAt, nameAt + rest.readUInt32LE(lengthAt));
        // who cannot be answered is let go when the directory is closed
        this.#answer(rest.readUInt32LE(tokenAt), onTrigger(name)).catch(() => undefined);
      }
    });
    this.#reader.on('error', () => undefined);
  }

  async #answer(token: number, work: Promise<boolean>): Promise<void> {
    const isMounted = await work.catch(() => false);
    await ioctlNumber(this.#root.fd, isMounted ? ready : fail, token);
  }
}

/** Ends the autofs on a directory, whoever opened it, with all that is mounted in it; programs that wait there go on. */
export async function clearAutofs(path: string): Promise<void> {
  for (;;) {
    const top = (await listMounts()).findLast(({ target }) => target === path);
    if (top?.type !== 'autofs') return;
    await makeCatatonic(path, top.device);
    await unmountLazily(path);
  }
}

/** Nothing may look into it before that, or it would wait for an answer as any program does. */
async function makeCatatonic(path: string, device: string): Promise<void> {
  const [major = 0, minor = 0] = device.split(':').map(Number);
  const name = Buffer.from(`${path}\0`);
  const request = Buffer.alloc(requestBytes + name.length);
  request.writeUInt32LE(1, 0);
  request.writeUInt32LE(request.length, 8);
  request.writeInt32LE(-1, 12);
  request.writeUInt32LE((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12), 16);
  name.copy(request, requestBytes);
  try {
    await using control = await open('/dev/autofs', 'r');
    await ioctl(control.fd, openMount, request);
  } catch (error) {
    // it is gone already
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  const fd = request.readInt32LE(12);
  try {
    await ioctlNumber(fd, catatonic, 0);
  } finally {
    closeSync(fd);
  }
}

/**
 * The kernel's end of the pipe is open for reading as well: were it not, the kernel would kill programs that look into the
 * directory after this process has died.
 */
function openPipe(): { readonly reader: Socket; readonly writeFd: number } {
  const fds = Buffer.alloc(8);
  if (pipe2(fds, closeOnExec) !== 0) throw new Error('cannot make a pipe');
  const plainFd = fds.readInt32LE(4);
  const reader = new Socket({ fd: fds.readInt32LE(0), readable: true, writable: false });
  const writeFd = openSync(`/proc/self/fd/${plainFd}`, 'r+');
  closeSync(plainFd);
  return { reader, writeFd };
}

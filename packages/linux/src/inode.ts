import { constants } from 'node:fs';
import { defineCall, hasCode } from './syscall.ts';
import { terminated } from './xattr.ts';

const mknod = defineCall('mknod', 'int', ['void *', 'uint', 'ulong'], 'mknod');
const utimensat = defineCall('utimensat', 'int', ['int', 'void *', 'void *', 'int'], 'utimensat');
const lseek = defineCall('lseek', 'long', ['int', 'long', 'int'], 'lseek');
const fallocate = defineCall('fallocate', 'int', ['int', 'int', 'long', 'long'], 'fallocate');
const syncfs = defineCall('syncfs', 'int', ['int']);

const nsPerS = 1_000_000_000n;
const utimeOmit = 0x3ffffffen;
const atFdcwd = -100;
const atSymlinkNofollow = 0x100;
const seekData = 3;
const seekHole = 4;
const keepSize = 1;
const punchHole = 2;

const kinds = {
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
  /** character device 0/0, by which overlayfs knows that a name is deleted */
  whiteout: constants.S_IFCHR,
} as const;

/** Makes something that is neither file, directory nor link. The mode is that of the umask; set it afterwards. */
export async function makeNode(path: Buffer, kind: keyof typeof kinds): Promise<void> {
  await mknod(terminated(path), kinds[kind] | 0o600, 0);
}

/** Sets when what is at `path`, a link itself, was last written, in nanoseconds. */
export async function setModifiedTime(path: Buffer, mtimeNs: bigint): Promise<void> {
  const times = Buffer.alloc(32);
  times.writeBigInt64LE(utimeOmit, 8);
  // the kernel wants whole seconds below and a positive rest
  const rest = ((mtimeNs % nsPerS) + nsPerS) % nsPerS;
  times.writeBigInt64LE((mtimeNs - rest) / nsPerS, 16);
  times.writeBigInt64LE(rest, 24);
  await utimensat(atFdcwd, terminated(path), times, atSymlinkNofollow);
}

/** The first run of data at or after `from`; undefined when only a hole follows. */
export async function findData(
  fd: number,
  from: number,
): Promise<{ readonly start: number; readonly end: number } | undefined> {
  try {
    const start = await lseek(fd, from, seekData);
    return { start, end: await lseek(fd, start, seekHole) };
  } catch (error) {
    if (hasCode(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Gives the blocks of a range back; it reads as zeros. */
export async function punchFile(fd: number, offset: number, length: number): Promise<void> {
  await fallocate(fd, keepSize | punchHole, offset, length);
}

/** Writes out everything of the file system that an open file is on. */
export async function syncFileSystem(fd: number): Promise<void> {
  await syncfs(fd);
}

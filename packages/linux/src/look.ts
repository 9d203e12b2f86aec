import koffi from 'koffi';
import { SystemCallError } from './syscall.ts';

export * from './ext4-inodes.ts';
export * from './file-stats.ts';

const libc = koffi.load('libc.so.6');
const lgetxattr = libc.func('lgetxattr', 'long', ['void *', 'str', 'void *', 'size_t']);
const llistxattr = libc.func('llistxattr', 'long', ['void *', 'void *', 'size_t']);
const lseek = libc.func('lseek', 'long', ['int', 'long', 'int']);
const posixFadvise = libc.func('posix_fadvise', 'int', ['int', 'long', 'long', 'int']);

const nothingThere = ['ENODATA', 'ENOTSUP'];
const tooSmall = 'ERANGE';
/** the kernel gives no more */
const mostAttributeBytes = 65_536;
const buffers = [Buffer.alloc(1024), Buffer.alloc(mostAttributeBytes)];
const seekData = 3;
const willNeed = 3;

/**
 * The value of an extended attribute of exactly this file, a link is not followed; undefined when it has none. At once,
 * as all here is: it is meant for threads that do nothing else.
 */
export function readAttribute(path: Buffer, name: string): Buffer | undefined {
  return readGrowing((buffer) => lgetxattr(terminated(path), name, buffer, buffer.length));
}

/** Names of all extended attributes of exactly this file. */
export function listAttributes(path: Buffer): readonly string[] {
  const names = readGrowing((buffer) => llistxattr(terminated(path), buffer, buffer.length));
  return names === undefined ? [] : names.toString('latin1').split('\0').slice(0, -1);
}

/** Position of the first data at or after this one in an open file; undefined when only a hole follows. */
export function seekNextData(fd: number, position: number): number | undefined {
  const found = Number(lseek(fd, position, seekData));
  if (found >= 0) return found;
  const error = new SystemCallError('lseek', koffi.errno(), '');
  if (error.code === 'ENXIO') return undefined;
  throw error;
}

/** Has the kernel begin to read a part of an open file, without waiting for it. */
export function readAhead(fd: number, position: number, bytes: number): void {
  posixFadvise(fd, position, bytes, willNeed);
}

function readGrowing(read: (buffer: Buffer) => unknown): Buffer | undefined {
  for (const buffer of buffers) {
    const length = Number(read(buffer));
    if (length >= 0) return Buffer.from(buffer.subarray(0, length));
    const error = new SystemCallError('xattr', koffi.errno(), '');
    if (nothingThere.includes(error.code)) return undefined;
    if (error.code !== tooSmall || buffer.length === mostAttributeBytes) throw error;
  }
  return undefined;
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.of(0)]);
}

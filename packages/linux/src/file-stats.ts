import koffi from 'koffi';
import { SystemCallError } from './syscall.ts';

const statx = koffi
  .load('libc.so.6')
  .func('statx', 'int', ['int', 'void *', 'int', 'unsigned int', 'void *']);

/** What the kernel says of a file; its times in `ns` since the epoch. */
export type FileStats = {
  readonly kind: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'char_device' | 'block_device';
  /** permissions with the three bits above them */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  /** of a device: its number */
  readonly device: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
};

/** Stands for the directory in paths that need none, as they are absolute. */
export const noDirectory = -100;

const kinds = new Map<number, FileStats['kind']>([
  [0o10, 'file'],
  [0o4, 'directory'],
  [0o12, 'symlink'],
  [0o1, 'fifo'],
  [0o14, 'socket'],
  [0o2, 'char_device'],
  [0o6, 'block_device'],
]);
const noFollow = 0x100;
const basicStats = 0x7ff;
const nothingThere = ['ENOENT', 'ENOTDIR'];
const nsPerSecond = 1_000_000_000n;
const deviceMinors = 2 ** 32;
/** longer than the kernel takes, so that it refuses what is cut off */
const nameBytes = Buffer.alloc(4100);
// linux/stat.h: struct statx has 256 bytes
const found = Buffer.alloc(256);
const view = new DataView(found.buffer, found.byteOffset, found.length);

/**
 * What has the name, one character per byte, in an open directory; undefined when there is nothing. Links are not followed.
 * At once, as it is meant for threads that do nothing else, and without the detours by which `lstatSync` takes five times as long.
 */
export function lookAt(directory: number, name: string): FileStats | undefined {
  nameBytes[nameBytes.write(name, 0, nameBytes.length - 1, 'latin1')] = 0;
  if (statx(directory, nameBytes, noFollow, basicStats, found) === 0) return decode();
  const error = new SystemCallError('statx', koffi.errno(), '');
  if (nothingThere.includes(error.code)) return undefined;
  throw error;
}

function decode(): FileStats {
  const mode = view.getUint16(28, true);
  const kind = kinds.get(mode >> 12);
  if (kind === undefined) throw new Error(`no kind of file has the mode ${mode.toString(8)}`);
  return {
    kind,
    permissions: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    inode: view.getBigUint64(32, true),
    sizeBytes: view.getBigUint64(40, true),
    device: view.getUint32(128, true) * deviceMinors + view.getUint32(132, true),
    mtimeNs: timeAt(112),
    ctimeNs: timeAt(96),
  };
}

function timeAt(offset: number): bigint {
  return view.getBigInt64(offset, true) * nsPerSecond + BigInt(view.getUint32(offset + 8, true));
}

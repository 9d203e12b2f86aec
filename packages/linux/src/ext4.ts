import { readFileSync, readlinkSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasCode } from './syscall.ts';

/** How far a mounted ext4 has grown and may grow, in bytes. */
export type Ext4Growth = {
  /** blocks no file has yet */
  readonly freeBytes: number;
  /** what of these may still be taken */
  readonly growBytes: number;
  /** data in memory for which blocks are counted as taken but not chosen yet */
  readonly pendingBytes: number;
  /** everything written since the mount */
  readonly writtenBytes: number;
  /** how often the kernel found it damaged */
  readonly errorCount: number;
};

const blockBytes = 4096;
/** what the kernel itself keeps for splitting extents: a fiftieth, at most this many clusters */
const mostKernelClusters = 4096;

/**
 * Reads the growth of the ext4 that is mounted at `path`; undefined when none is mounted there. At once: the threads of
 * libuv's pool may be what waits for this file system.
 */
export function readExt4Growth(path: string): Ext4Growth | undefined {
  const device = findDevice(path);
  if (device === undefined) return undefined;
  try {
    const { bfree, bavail, bsize } = statfsSync(path);
    const number = (name: string): number => Number(readFileSync(attribute(device, name), 'utf8'));
    return {
      freeBytes: bfree * bsize,
      growBytes: bavail * bsize,
      pendingBytes: number('delayed_allocation_blocks') * bsize,
      writtenBytes: number('session_write_kbytes') * 1024,
      errorCount: number('errors_count'),
    };
  } catch (error) {
    // unmounted just now, or another kind of file system
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Makes the ext4 at `path` refuse to let its free blocks drop below `keepBytes`, with a plain `ENOSPC` to whoever
 * writes. Metadata of blocks already promised is not refused. The limit ends with the mount; 0 is the kernel's own.
 */
export function keepExt4Free(path: string, keepBytes: number): void {
  const device = findDevice(path);
  if (device === undefined) return;
  const { blocks } = statfsSync(path);
  const usual = Math.min(Math.floor(blocks / 50), mostKernelClusters);
  const wanted = Math.ceil(keepBytes / blockBytes);
  write(attribute(device, 'reserved_clusters'), Math.max(usual, Math.min(blocks - 1, wanted)));
}

/**
 * Bounds how much of what is written to the file system at `path` may wait in memory; undefined takes the bound away.
 * Kernels before 6.2 have no such bound and are left as they are.
 */
export function boundDirtyBytes(path: string, bytes: number | undefined): void {
  const device = findDevice(path);
  if (device === undefined) return;
  const bdi = join('/sys/block', device, 'bdi');
  write(join(bdi, 'strict_limit'), bytes === undefined ? 0 : 1);
  if (bytes === undefined) write(join(bdi, 'max_ratio'), 100);
  else write(join(bdi, 'max_bytes'), Math.ceil(bytes));
}

/** Bytes of all files on the host that wait in memory to be written. */
export function readDirtyBytes(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const found = [...text.matchAll(/^(?:Dirty|Writeback): +(\d+) kB$/gm)];
  return found.reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
}

/** What an unmounted ext4 says of itself. */
export type Ext4Superblock = {
  /** false when changes are in its journal that are not yet where they belong */
  readonly isClean: boolean;
  /** when it was last written out, in seconds since the epoch */
  readonly writtenAtS: number;
};

// the superblock is at 1024; in it are s_wtime at 0x30, s_feature_incompat at 0x60 and the high byte of s_wtime at 0x274
const superblockAt = 1024;
const superblockBytes = 1024;
const needsRecovery = 0x4;

/** Reads the superblock of the ext4 in a file. */
export async function readExt4Superblock(file: string): Promise<Ext4Superblock> {
  await using handle = await open(file, 'r');
  const { buffer } = await handle.read(Buffer.alloc(superblockBytes), 0, superblockBytes, superblockAt);
  return {
    isClean: (buffer.readUInt32LE(0x60) & needsRecovery) === 0,
    writtenAtS: buffer.readUInt32LE(0x30) + buffer.readUInt8(0x274) * 2 ** 32,
  };
}

/** Name of the block device mounted at `path`, undefined when nothing or something else is mounted there. */
function findDevice(path: string): string | undefined {
  try {
    const { dev } = statSync(path);
    if (dev === statSync(join(path, '..')).dev) return undefined;
    const major = (dev >> 8) & 0xfff;
    const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
    return basename(readlinkSync(`/sys/dev/block/${major}:${minor}`));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function attribute(device: string, name: string): string {
  return join('/sys/fs/ext4', device, name);
}

function write(file: string, value: number): void {
  try {
    writeFileSync(file, String(value));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

import { open } from 'node:fs/promises';
import { defineCall } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'void *'], 'FS_IOC_FIEMAP');

// linux/fiemap.h: struct fiemap is 32 bytes, followed by fm_extent_count times struct fiemap_extent of 56 bytes.
const fiemapRequest = 0xc020660b;
const headerBytes = 32;
const extentBytes = 56;
const flagLast = 0x1;
const flagsWithoutPlace = 0x2 | 0x4 | 0x8 | 0x200;
const flagUnwritten = 0x800;
const flagShared = 0x2000;
const extentsPerCall = 1024;
const farEnd = 0x7fff_ffff_ffff_ffffn;

/** Bytes a file has on disk. */
export type ExtentUsage = {
  /** bytes of blocks, shared or not */
  readonly usedBytes: number;
  /** bytes of blocks no other file shares */
  readonly ownBytes: number;
};

/** A run of a file's blocks, in bytes. */
export type Extent = {
  /** offset in the file */
  readonly start: number;
  readonly length: number;
  /** offset on the device; undefined while it has none, or none that means anything */
  readonly physical: number | undefined;
  readonly isShared: boolean;
  /** reserved but never written: reads as zeros */
  readonly isUnwritten: boolean;
};

/** Adds up the file's extents. Blocks not written back yet count as the file's own. */
export async function measureExtents(file: string): Promise<ExtentUsage> {
  await using handle = await open(file, 'r');
  let usedBytes = 0;
  let ownBytes = 0;
  for (const extent of await readExtents(handle.fd)) {
    usedBytes += extent.length;
    if (!extent.isShared) ownBytes += extent.length;
  }
  return { usedBytes, ownBytes };
}

/** The extents of an open file in the order of their offsets; what none of them covers is a hole. */
export async function readExtents(fd: number): Promise<readonly Extent[]> {
  const extents: Extent[] = [];
  const buffer = Buffer.alloc(headerBytes + extentsPerCall * extentBytes);
  let position = 0n;
  for (;;) {
    const count = await requestExtents(fd, buffer, position);
    for (let index = 0; index < count; index++) {
      const at = headerBytes + index * extentBytes;
      const start = buffer.readBigUInt64LE(at);
      const length = buffer.readBigUInt64LE(at + 16);
      const flags = buffer.readUInt32LE(at + 40);
      extents.push({
        start: Number(start),
        length: Number(length),
        physical: (flags & flagsWithoutPlace) === 0 ? Number(buffer.readBigUInt64LE(at + 8)) : undefined,
        isShared: (flags & flagShared) !== 0,
        isUnwritten: (flags & flagUnwritten) !== 0,
      });
      if ((flags & flagLast) !== 0) return extents;
      position = start + length;
    }
    if (count === 0) return extents;
  }
}

async function requestExtents(fd: number, buffer: Buffer, position: bigint): Promise<number> {
  buffer.fill(0, 0, headerBytes);
  buffer.writeBigUInt64LE(position, 0);
  buffer.writeBigUInt64LE(farEnd - position, 8);
  buffer.writeUInt32LE(extentsPerCall, 24);
  await ioctl(fd, fiemapRequest, buffer);
  return buffer.readUInt32LE(20);
}

import { open } from 'node:fs/promises';
import { defineCall } from './syscall.ts';

const ioctl = defineCall('ioctl', 'int', ['int', 'ulong', 'void *'], 'FS_IOC_FIEMAP');

// linux/fiemap.h: struct fiemap is 32 bytes, followed by fm_extent_count times struct fiemap_extent of 56 bytes.
const fiemapRequest = 0xc020660b;
const headerBytes = 32;
const extentBytes = 56;
const flagLast = 0x1;
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

/** Adds up the file's extents. Blocks not written back yet count as the file's own. */
export async function measureExtents(file: string): Promise<ExtentUsage> {
  await using handle = await open(file, 'r');
  let used = 0n;
  let own = 0n;
  for await (const extent of readExtents(handle.fd)) {
    used += extent.length;
    if (!extent.shared) own += extent.length;
  }
  return { usedBytes: Number(used), ownBytes: Number(own) };
}

type Extent = { readonly start: bigint; readonly length: bigint; readonly shared: boolean };

async function* readExtents(fd: number): AsyncGenerator<Extent> {
  const buffer = Buffer.alloc(headerBytes + extentsPerCall * extentBytes);
  let position = 0n;
  for (;;) {
    const count = await requestExtents(fd, buffer, position);
    for (let index = 0; index < count; index++) {
      const at = headerBytes + index * extentBytes;
      const start = buffer.readBigUInt64LE(at);
      const length = buffer.readBigUInt64LE(at + 16);
      const flags = buffer.readUInt32LE(at + 40);
      yield { start, length, shared: (flags & flagShared) !== 0 };
      if ((flags & flagLast) !== 0) return;
      position = start + length;
    }
    if (count === 0) return;
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

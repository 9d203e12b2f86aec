import { open } from 'node:fs/promises';
import { hasCode } from '@sprites/linux';

const superblockAt = 1024;
const superblockBytes = 1024;
const checksumAt = 1020;
const magic = 0xef53;
const featureChecksums = 0x400;
const feature64Bit = 0x80;

/**
 * What is plainly wrong with the ext4 in a file that nobody uses, in words about `it`; empty when nothing is. It reads one
 * block, so what it does not find may be damaged all the same.
 */
export async function inspectDisk(file: string): Promise<string> {
  const block = Buffer.alloc(superblockBytes);
  let size: number;
  try {
    await using handle = await open(file, 'r');
    ({ size } = await handle.stat());
    await handle.read(block, 0, superblockBytes, superblockAt);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'its disk is missing';
    if (hasCode(error, 'EIO', 'EUCLEAN')) return 'its disk cannot be read';
    throw error;
  }
  if (size === 0) return 'its disk is empty';
  if (block.readUInt16LE(56) !== magic) return 'its disk holds no file system';
  if ((block.readUInt32LE(100) & featureChecksums) !== 0 && !hasRightChecksum(block))
    return 'the first block of its disk does not match its checksum';
  const wanted = fileSystemBytes(block);
  return size < wanted ? `its disk is cut off after ${size} of ${wanted} bytes` : '';
}

/** linux/ext4.h, `struct ext4_super_block`. */
function fileSystemBytes(block: Buffer): number {
  const high = (block.readUInt32LE(96) & feature64Bit) === 0 ? 0 : block.readUInt32LE(0x150);
  return (high * 2 ** 32 + block.readUInt32LE(4)) * 1024 * 2 ** block.readUInt32LE(24);
}

function hasRightChecksum(block: Buffer): boolean {
  return crc32c(block.subarray(0, checksumAt)) === block.readUInt32LE(checksumAt);
}

/** CRC-32C as ext4 stores it: begun with all ones and not inverted at the end. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f6_3b78);
  }
  return crc >>> 0;
}

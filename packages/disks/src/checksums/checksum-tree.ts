import { hash } from 'node:crypto';
import { chunkBytes } from './chunks.ts';

const magic = 'SPRSUM1\n';
const headerBytes = 24;
const hashBytes = 32;
const entryBytes = 4 + hashBytes;

/** SHA-256 of each chunk of a file that is not all zeros, by the chunk's index. */
export type ChecksumTree = { readonly fileBytes: number; readonly hashes: ReadonlyMap<number, Buffer> };

/**
 * The form in which checksums are kept: `SPRSUM1`, the bytes of a chunk (u32), the number of entries (u32), the bytes of
 * the file (u64), then for each chunk its index (u32) and hash; little-endian, by index. It follows from the content of
 * the file alone, not from where its holes are.
 */
export function encodeTree({ fileBytes, hashes }: ChecksumTree): Buffer {
  const bytes = Buffer.alloc(headerBytes + hashes.size * entryBytes);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(chunkBytes, 8);
  bytes.writeUInt32LE(hashes.size, 12);
  bytes.writeBigUInt64LE(BigInt(fileBytes), 16);
  const sorted = [...hashes].sort(([a], [b]) => a - b);
  for (const [number, [index, value]] of sorted.entries()) {
    const at = headerBytes + number * entryBytes;
    bytes.writeUInt32LE(index, at);
    value.copy(bytes, at + 4);
  }
  return bytes;
}

/** Reads what `encodeTree` wrote; undefined when it is anything else. */
export function decodeTree(bytes: Buffer): ChecksumTree | undefined {
  if (bytes.length < headerBytes || bytes.toString('latin1', 0, magic.length) !== magic) return undefined;
  const count = bytes.readUInt32LE(12);
  if (bytes.readUInt32LE(8) !== chunkBytes || bytes.length !== headerBytes + count * entryBytes)
    return undefined;
  const hashes = new Map<number, Buffer>();
  for (let at = headerBytes; at < bytes.length; at += entryBytes) {
    hashes.set(bytes.readUInt32LE(at), bytes.subarray(at + 4, at + entryBytes));
  }
  return { fileBytes: Number(bytes.readBigUInt64LE(16)), hashes };
}

/** The one hash over all checksums, by which they are known to be whole. */
export function rootOf(bytes: Buffer): string {
  return hash('sha256', bytes, 'hex');
}

import { fstatSync, readSync } from 'node:fs';
import type { FileStats } from './file-stats.ts';

/** A run of a file's blocks, in bytes. What none of them covers is a hole. */
export type BlockRun = {
  /** offset in the file */
  readonly start: number;
  readonly length: number;
  /** offset in the file that holds the file system; undefined where blocks were reserved but never written */
  readonly at: number | undefined;
};

type Layout = {
  /** of the file that holds the file system */
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly descriptorsAt: number;
  readonly descriptorBytes: number;
};

const superblockAt = 1024;
const superblockBytes = 1024;
const superblockMagic = 0xef53;
const needsRecovery = 0x4;
const has64Bit = 0x80;
const scattersDescriptors = 0x10;
const smallDescriptorBytes = 32;
const mostDescriptorBytes = 1024;
const mostBlockBytes = 64 * 1024;
const leastInodeBytes = 128;
const mostInodeBytes = 4096;
/** a power of two, and so a number of whole inodes */
const windowBytes = 16 * 1024;
const regularFile = 0o100000;
const inExtents = 0x8_0000;
/** compressed in some way, encrypted, verified, an attribute of another, or within the inode: for the kernel to read */
const unusualFlags = 0x704 | 0x800 | 0x10_0000 | 0x20_0000 | 0x1000_0000;
const extentMagic = 0xf30a;
const extentBytes = 12;
const mostExtents = 4;
const mostInitialized = 32_768;
const nsPerSecond = 1_000_000_000n;

/**
 * Tells where the files of an ext4 lie in the file that holds it, by the inodes in there. Nobody may write to it, and nothing
 * may be in its journal only. What is not plain is left to the kernel, and so is everything that it sees otherwise.
 */
export class Ext4Inodes {
  readonly #fd: number;
  readonly #layout: Layout | undefined;
  readonly #tables = new Map<number, number>();
  readonly #window = Buffer.alloc(windowBytes);
  /** offset of what is in the window */
  #windowAt = -1;

  constructor(fd: number) {
    this.#fd = fd;
    this.#layout = readLayout(fd);
  }

  /** The blocks of a file that the kernel describes so, in the order of their offsets; undefined when only the kernel can tell. */
  findBlocks(stats: FileStats): readonly BlockRun[] | undefined {
    const layout = this.#layout;
    if (layout === undefined || stats.inode < 1n || stats.inode > BigInt(layout.inodeCount)) return undefined;
    const index = Number(stats.inode) - 1;
    const table = this.#findTable(layout, Math.floor(index / layout.inodesPerGroup));
    if (table === undefined) return undefined;
    const at = this.#load(layout, table + (index % layout.inodesPerGroup) * layout.inodeBytes);
    if (at === undefined || !describes(this.#window, at, stats)) return undefined;
    return readRuns(this.#window, at + 0x28, layout);
  }

  /** Offset of the inodes of a group. */
  #findTable(layout: Layout, group: number): number | undefined {
    const known = this.#tables.get(group);
    if (known !== undefined) return known;
    const { descriptorsAt, descriptorBytes, blockBytes, sizeBytes } = layout;
    const place = descriptorsAt + group * descriptorBytes;
    if (place + descriptorBytes > sizeBytes) return undefined;
    const bytes = readExactly(this.#fd, descriptorBytes, place);
    if (bytes === undefined) return undefined;
    const high = descriptorBytes > smallDescriptorBytes ? bytes.readUInt32LE(0x28) : 0;
    const table = (high * 2 ** 32 + bytes.readUInt32LE(0x8)) * blockBytes;
    this.#tables.set(group, table);
    return table;
  }

  /** Where in the window the inode is that lies at this offset, once it has been read. */
  #load({ sizeBytes }: Layout, offset: number): number | undefined {
    if (offset + windowBytes > sizeBytes) return undefined;
    const start = Math.floor(offset / windowBytes) * windowBytes;
    if (start !== this.#windowAt) {
      this.#windowAt = -1;
      if (readSync(this.#fd, this.#window, 0, windowBytes, start) !== windowBytes) return undefined;
      this.#windowAt = start;
    }
    return offset - start;
  }
}

function readLayout(fd: number): Layout | undefined {
  const bytes = readExactly(fd, superblockBytes, superblockAt);
  if (bytes === undefined || bytes.readUInt16LE(0x38) !== superblockMagic) return undefined;
  const features = bytes.readUInt32LE(0x60);
  if ((features & (needsRecovery | scattersDescriptors)) !== 0) return undefined;
  const inodeBytes = bytes.readUInt16LE(0x58);
  const isPowerOfTwo = (inodeBytes & (inodeBytes - 1)) === 0;
  if (inodeBytes < leastInodeBytes || inodeBytes > mostInodeBytes || !isPowerOfTwo) return undefined;
  const descriptorBytes = (features & has64Bit) === 0 ? smallDescriptorBytes : bytes.readUInt16LE(0xfe);
  if (descriptorBytes < smallDescriptorBytes || descriptorBytes > mostDescriptorBytes) return undefined;
  const inodesPerGroup = bytes.readUInt32LE(0x28);
  const blockBytes = 1024 * 2 ** bytes.readUInt32LE(0x18);
  if (inodesPerGroup === 0 || blockBytes > mostBlockBytes) return undefined;
  return {
    sizeBytes: fstatSync(fd).size,
    blockBytes,
    inodeCount: bytes.readUInt32LE(0),
    inodesPerGroup,
    inodeBytes,
    // in the block after the superblock's, whatever the first block for data is
    descriptorsAt: (Math.floor(superblockAt / blockBytes) + 1) * blockBytes,
    descriptorBytes,
  };
}

/** Whether these are the bytes of the inode that the kernel means. */
function describes(bytes: Buffer, at: number, stats: FileStats): boolean {
  const flags = bytes.readUInt32LE(at + 0x20);
  return (
    stats.kind === 'file' &&
    bytes.readUInt16LE(at) === (regularFile | stats.permissions) &&
    bytes.readUInt32LE(at + 0x4) + bytes.readUInt32LE(at + 0x6c) * 2 ** 32 === Number(stats.sizeBytes) &&
    bytes.readInt32LE(at + 0xc) === lowSeconds(stats.ctimeNs) &&
    bytes.readInt32LE(at + 0x10) === lowSeconds(stats.mtimeNs) &&
    (flags & inExtents) !== 0 &&
    (flags & unusualFlags) === 0
  );
}

/** What an inode holds of a time beside the bits that came later. */
function lowSeconds(timeNs: bigint): number {
  const below = timeNs % nsPerSecond < 0n ? 1n : 0n;
  return Number(BigInt.asIntN(32, timeNs / nsPerSecond - below));
}

/** The blocks of a file with so few extents that all of them are in its inode. */
function readRuns(
  bytes: Buffer,
  at: number,
  { blockBytes, sizeBytes }: Layout,
): readonly BlockRun[] | undefined {
  const count = bytes.readUInt16LE(at + 2);
  const depth = bytes.readUInt16LE(at + 6);
  if (bytes.readUInt16LE(at) !== extentMagic || count > mostExtents || depth !== 0) return undefined;
  const runs: BlockRun[] = [];
  let end = 0;
  for (let index = 1; index <= count; index++) {
    const extent = at + index * extentBytes;
    const start = bytes.readUInt32LE(extent) * blockBytes;
    const blocks = bytes.readUInt16LE(extent + 4);
    const isWritten = blocks <= mostInitialized;
    const length = (isWritten ? blocks : blocks - mostInitialized) * blockBytes;
    const place = (bytes.readUInt16LE(extent + 6) * 2 ** 32 + bytes.readUInt32LE(extent + 8)) * blockBytes;
    if (start < end || length === 0 || place + length > sizeBytes) return undefined;
    runs.push({ start, length, at: isWritten ? place : undefined });
    end = start + length;
  }
  return runs;
}

function readExactly(fd: number, length: number, position: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  return readSync(fd, bytes, 0, length, position) === length ? bytes : undefined;
}

import { closeSync, readlinkSync, readSync } from 'node:fs';
import { listAttributes, readAttribute, seekNextData } from '@sprites/linux/look';
import type { Bytes, Entry } from './layered-tree.ts';
import type { OpenFiles } from './open-files.ts';

const chunkBytes = 256 * 1024;
const chunks = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)] as const;
const overlayPrefix = 'trusted.overlay.';

/**
 * True when both entries are one file that nothing was done to since the disks went separate ways, so that nothing of it
 * needs to be read. Every change of a file, its content and its attributes sets its time of change, which programs cannot
 * set. A second change within one tick of the kernel's clock sets the same time again: so a file that changed around the
 * moment either disk was saved (`quietBeforeNs` is well before both) proves nothing.
 */
export function isUntouched(before: Entry, after: Entry, quietBeforeNs: bigint): boolean {
  const [a, b] = [before.stats, after.stats];
  if (!before.isUpper && !after.isUpper) return before.origin !== undefined && before.origin === after.origin;
  if (!before.isUpper || !after.isUpper) return false;
  return (
    a.inode === b.inode &&
    a.ctimeNs === b.ctimeNs &&
    a.mtimeNs === b.mtimeNs &&
    a.sizeBytes === b.sizeBytes &&
    a.kind === b.kind &&
    a.permissions === b.permissions &&
    a.ctimeNs < quietBeforeNs
  );
}

/** Whether only reading them can tell if two entries of the same kind have the same content. */
export function mustBeRead(before: Entry, after: Entry): boolean {
  const { kind, sizeBytes } = before.stats;
  return kind === 'file' && sizeBytes === after.stats.sizeBytes && sizeBytes > 0n;
}

/** Whether two entries of the same kind have the same content; directories always do. */
export function hasSameContent(before: Entry, after: Entry, files: OpenFiles): boolean {
  const { kind, device, sizeBytes } = before.stats;
  if (kind === 'symlink') return readTarget(before).equals(readTarget(after));
  if (kind === 'char_device' || kind === 'block_device') return device === after.stats.device;
  if (kind === 'file' && sizeBytes !== after.stats.sizeBytes) return false;
  return !mustBeRead(before, after) || hasSameBytes(before, after, files);
}

/** Whether owner, mode, time and extended attributes agree. A directory's time only tells of its entries, which are compared. */
export function hasSameMetadata(before: Entry, after: Entry): boolean {
  const [a, b] = [before.stats, after.stats];
  if (a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.permissions !== b.permissions) return false;
  if (a.kind !== 'directory' && a.mtimeNs !== b.mtimeNs) return false;
  return readAttributes(before.file) === readAttributes(after.file);
}

/** Where a link leads, as it is written in it. */
export function readTarget({ file }: Entry): Buffer {
  return readlinkSync(Buffer.from(file, 'latin1'), 'buffer');
}

function readAttributes(file: Bytes): string {
  const place = Buffer.from(file, 'latin1');
  const names = listAttributes(place).filter((name) => !name.startsWith(overlayPrefix));
  if (names.length === 0) return '';
  return JSON.stringify(names.sort().map((name) => [name, readAttribute(place, name)?.toString('latin1')]));
}

function hasSameBytes(before: Entry, after: Entry, files: OpenFiles): boolean {
  const [bufferA, bufferB] = chunks;
  const bytes = files.read({ entry: before, buffer: bufferA });
  const others = bytes && files.read({ entry: after, buffer: bufferB });
  if (bytes !== undefined && others !== undefined) return bytes.equals(others);
  const a = files.take(before);
  try {
    const b = files.take(after);
    try {
      return compareOpen(a, b);
    } finally {
      closeSync(b);
    }
  } finally {
    closeSync(a);
  }
}

/** Holes of both are passed over. */
function compareOpen(a: number, b: number): boolean {
  let position = 0;
  for (;;) {
    const dataA = readSync(a, chunks[0], 0, chunkBytes, position);
    const dataB = readSync(b, chunks[1], 0, chunkBytes, position);
    if (dataA !== dataB) return false;
    if (!chunks[0].subarray(0, dataA).equals(chunks[1].subarray(0, dataB))) return false;
    if (dataA < chunkBytes) return true;
    position += dataA;
    const next = [seekNextData(a, position), seekNextData(b, position)].filter((at) => at !== undefined);
    if (next.length === 0) return true;
    position = Math.max(position, Math.min(...next));
  }
}

import { hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { dropCached } from '@sprites/linux';
import { type Chunk, chunkBytes } from './chunks.ts';

const scratch = Buffer.alloc(chunkBytes);
/** hash of a chunk in which nothing is written */
export const emptyHash: Buffer = hash('sha256', scratch, 'buffer');

/**
 * Reads a chunk from the disk, not from memory, and answers its hash; undefined when the disk cannot read it. At once:
 * for a thread that has nothing else to do.
 */
export function hashChunk(fd: number, { index, pieces }: Chunk): Buffer | undefined {
  scratch.fill(0);
  const from = index * chunkBytes;
  dropCached(fd, from, chunkBytes);
  try {
    for (const { start, length } of pieces)
      readPiece(fd, from + start, scratch.subarray(start, start + length));
  } catch {
    // EIO and its kin: a block that cannot be read is damaged, whatever the kernel calls it
    return undefined;
  }
  dropCached(fd, from, chunkBytes);
  return hash('sha256', scratch, 'buffer');
}

function readPiece(fd: number, position: number, target: Buffer): void {
  for (let done = 0; done < target.length; ) {
    const count = readSync(fd, target, done, target.length - done, position + done);
    // behind the end of the file there are zeros
    if (count === 0) return;
    done += count;
  }
}

import type { Extent } from '@sprites/linux';

/** Bytes that share a checksum. */
export const chunkBytes = 1024 ** 2;

/** A run of written bytes in a chunk. */
export type Piece = {
  /** offset in the chunk */
  readonly start: number;
  readonly length: number;
  readonly physical: number | undefined;
};

/** An aligned part of a file that has written blocks; what its pieces do not cover reads as zeros. */
export type Chunk = { readonly index: number; readonly pieces: readonly Piece[] };

/** The chunks of a file of `fileBytes` in which anything is written, in order; `extents` must be in order, too. */
export function toChunks(extents: readonly Extent[], fileBytes: number): readonly Chunk[] {
  const chunks: { index: number; pieces: Piece[] }[] = [];
  for (const extent of extents) {
    if (extent.isUnwritten) continue;
    const end = Math.min(extent.start + extent.length, fileBytes);
    for (let at = extent.start; at < end; ) {
      const index = Math.floor(at / chunkBytes);
      const length = Math.min(end, (index + 1) * chunkBytes) - at;
      const physical = extent.physical === undefined ? undefined : extent.physical + (at - extent.start);
      const last = chunks.at(-1);
      const chunk = last?.index === index ? last : { index, pieces: [] };
      if (chunk !== last) chunks.push(chunk);
      chunk.pieces.push({ start: at - index * chunkBytes, length, physical });
      at += length;
    }
  }
  return chunks;
}

/**
 * What two chunks have in common that lie on the same blocks of the disk in the same way, and so have the same content;
 * undefined when that cannot be said of the chunk.
 */
export function placeOf({ pieces }: Chunk): string | undefined {
  if (pieces.some(({ physical }) => physical === undefined)) return undefined;
  return pieces.map(({ start, length, physical }) => `${start}+${length}@${physical}`).join();
}

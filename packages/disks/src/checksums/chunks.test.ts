import type { Extent } from '@sprites/linux';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkBytes, placeOf, toChunks } from './chunks.ts';

function extent(start: number, length: number, more: Partial<Extent> = {}): Extent {
  return { start, length, physical: start + 8192, isShared: false, isUnwritten: false, ...more };
}

describe('toChunks', () => {
  it('covers every written byte once, and nothing else', () => {
    const blocks = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 600 }), fc.boolean()));
    fc.assert(
      fc.property(blocks, fc.nat(4 * chunkBytes), (gaps, fileBytes) => {
        let at = 0;
        const extents = gaps.map(([gap, count, isUnwritten]) => {
          const start = at + gap * 4096;
          at = start + count * 4096;
          return extent(start, count * 4096, { isUnwritten });
        });
        const chunks = toChunks(extents, fileBytes);
        const covered = chunks.flatMap(({ index, pieces }) =>
          pieces.map(({ start, length }) => [index * chunkBytes + start, length] as const),
        );
        for (const [start, length] of covered) {
          expect(Math.floor(start / chunkBytes)).toBe(Math.floor((start + length - 1) / chunkBytes));
        }
        const bytes = covered.reduce((sum, [, length]) => sum + length, 0);
        const wanted = extents
          .filter(({ isUnwritten }) => !isUnwritten)
          .reduce(
            (sum, { start, length }) => sum + Math.max(0, Math.min(start + length, fileBytes) - start),
            0,
          );
        expect(bytes).toBe(wanted);
        const indexes = chunks.map(({ index }) => index);
        expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
      }),
    );
  });
});

describe('placeOf', () => {
  it('is the same for the same blocks in the same places only', () => {
    const place = (...extents: readonly Extent[]): string | undefined => {
      const [chunk] = toChunks(extents, chunkBytes);
      return chunk === undefined ? undefined : placeOf(chunk);
    };
    const one = place(extent(0, 8192));
    expect(place(extent(0, 8192, { isShared: true }))).toBe(one);
    expect(place(extent(0, 8192, { physical: 0 }))).not.toBe(one);
    expect(place(extent(4096, 8192, { physical: 8192 }))).not.toBe(one);
    expect(place(extent(0, 4096))).not.toBe(one);
    expect(place(extent(0, 8192, { physical: undefined }))).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeFrame, FrameBoundary } from './frame-boundary.ts';

function frame(length: number, masked: boolean): Buffer {
  const extended = length < 126 ? Buffer.alloc(0) : Buffer.alloc(length < 65_536 ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(length);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
  const short = length < 126 ? length : extended.length === 2 ? 126 : 127;
  const mask = Buffer.alloc(masked ? 4 : 0, 7);
  return Buffer.concat([
    Buffer.of(0x82, short | (masked ? 0x80 : 0)),
    extended,
    mask,
    Buffer.alloc(length, 0x88),
  ]);
}

describe('FrameBoundary', () => {
  it('knows the end of every frame however the stream is cut', () => {
    const frames = fc.array(
      fc.tuple(fc.oneof(fc.nat(300), fc.constantFrom(125, 126, 65_535, 65_536)), fc.boolean()),
    );
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 5000 })), (lengths, cuts) => {
        const ends = new Set<number>([0]);
        const stream = Buffer.concat(lengths.map(([length, masked]) => frame(length, masked)));
        let end = 0;
        for (const [length, masked] of lengths) {
          end += frame(length, masked).length;
          ends.add(end);
        }
        const boundary = new FrameBoundary();
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          boundary.push(stream.subarray(at, at + cut));
          at = Math.min(stream.length, at + cut);
          expect(boundary.isBetweenFrames).toBe(ends.has(at));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never throws on hostile bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        const boundary = new FrameBoundary();
        for (const chunk of chunks) boundary.push(chunk);
      }),
    );
  });
});

describe('closeFrame', () => {
  it('holds code and reason, cut to what a control frame can carry', () => {
    expect(closeFrame(1001, 'bye')).toEqual(Buffer.from([0x88, 5, 0x03, 0xe9, 0x62, 0x79, 0x65]));
    expect(closeFrame(1001, 'x'.repeat(500))).toHaveLength(2 + 125);
  });
});

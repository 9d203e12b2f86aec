import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, frame } from './framing.ts';

describe('FrameReader', () => {
  it('finds the messages wherever the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(1500), { maxLength: 8 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(frame));
        const edges = [0, ...cuts.map((cut) => Math.min(cut, stream.length)), stream.length].sort(
          (a, b) => a - b,
        );
        const reader = new FrameReader(300);
        const received = edges
          .slice(1)
          .flatMap((end, index) => reader.push(stream.subarray(edges[index], end)));
        expect(received.map((each) => [...each])).toEqual(sent.map((each) => [...each]));
      }),
    );
  });

  it('breaks at a message longer than its limit', () => {
    const reader = new FrameReader(10);
    expect(reader.push(Buffer.concat([frame(Buffer.alloc(10)), Buffer.of(0, 11)]))).toHaveLength(1);
    expect(reader.broken).toBe(true);
    expect(reader.push(frame(Buffer.alloc(1)))).toEqual([]);
  });
});

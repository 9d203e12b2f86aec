import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CloseReason, FrameParser } from './frame-parser.ts';

type Seen = { binary: Buffer[]; texts: string[]; pings: Buffer[]; closes: CloseReason[] };

function fixture(largestTextBytes = 1024): { parser: FrameParser; seen: Seen } {
  const seen: Seen = { binary: [], texts: [], pings: [], closes: [] };
  let pieces: Buffer[] = [];
  const parser = new FrameParser(
    {
      onBinary(piece, first, last) {
        expect(first).toBe(pieces.length === 0);
        pieces.push(Buffer.from(piece));
        if (!last) return;
        seen.binary.push(Buffer.concat(pieces));
        pieces = [];
      },
      onText: (text) => seen.texts.push(text),
      onPing: (payload) => seen.pings.push(payload),
      onClose: (reason) => seen.closes.push(reason),
    },
    largestTextBytes,
  );
  return { parser, seen };
}

/** A masked frame as a client sends it. */
function frame(opcode: number, payload: Uint8Array, fin = true): Buffer {
  const mask = Buffer.of(0x12, 0xab, 0, 0xff);
  const size =
    payload.length < 126
      ? Buffer.of(0x80 | payload.length)
      : Buffer.of(0x80 | 126, payload.length >> 8, payload.length & 0xff);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return Buffer.concat([Buffer.of((fin ? 0x80 : 0) | opcode), size, mask, masked]);
}

describe('FrameParser', () => {
  it('gives every message whole, however it is cut', () => {
    const message = fc.tuple(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 300 }));
    fc.assert(
      fc.property(
        fc.array(message),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (messages, cuts) => {
          const { parser, seen } = fixture();
          const bytes = Buffer.concat(messages.map(([isText, payload]) => frame(isText ? 1 : 2, payload)));
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const length = cuts[i % cuts.length] ?? 1;
            parser.push(Buffer.from(bytes.subarray(at, at + length)));
            at += length;
          }
          expect(seen.binary).toEqual(
            messages.filter(([isText]) => !isText).map(([, payload]) => Buffer.from(payload)),
          );
          expect(seen.texts).toEqual(
            messages.filter(([isText]) => isText).map(([, payload]) => Buffer.from(payload).toString()),
          );
          expect(seen.closes).toEqual([]);
        },
      ),
    );
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        const { parser } = fixture();
        for (const chunk of chunks) parser.push(Buffer.from(chunk));
      }),
    );
  });

  it('joins fragments, also around a ping', () => {
    const { parser, seen } = fixture();
    const parts = [
      frame(2, Buffer.from('ab'), false),
      frame(9, Buffer.from('?')),
      frame(0, Buffer.from('c')),
    ];
    parser.push(Buffer.concat(parts));
    expect(seen).toMatchObject({ binary: [Buffer.from('abc')], pings: [Buffer.from('?')] });
  });

  it.each([
    ['an unmasked frame', Buffer.of(0x82, 0x01, 0x61), 1002],
    ['a compressed frame', Buffer.of(0xc2, 0x81, 0, 0, 0, 0, 0x61), 1002],
    ['a continuation of nothing', frame(0, Buffer.from('x')), 1002],
    ['an unknown frame', frame(3, Buffer.from('x')), 1002],
    ['a long ping', frame(9, Buffer.alloc(126)), 1002],
    ['a long text', frame(1, Buffer.alloc(1025)), 1009],
    ['a frame of 2^63 bytes', Buffer.of(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1009],
  ])('closes on %s', (_, bytes, code) => {
    const { parser, seen } = fixture();
    parser.push(bytes);
    expect(seen.closes.map((reason) => reason.code)).toEqual([code]);
  });
});

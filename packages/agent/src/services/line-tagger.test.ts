import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineTagger, parseLines } from './line-tagger.ts';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

/** Everything a tagger makes of these pieces. */
function tag(pieces: readonly Buffer[]): Buffer {
  const tagger = new LineTagger('stderr');
  return Buffer.concat([
    ...pieces.map((piece) => Buffer.from(tagger.push(piece, nowMs))),
    tagger.flush(nowMs),
  ]);
}

describe('a line', () => {
  it('gets its time and stream, and is kept until it has ended', () => {
    const tagger = new LineTagger('stdout');
    expect(tagger.push(Buffer.from('one\ntw'), nowMs).toString()).toBe(
      '2026-01-02T03:04:05.006Z [stdout] one\n',
    );
    expect(tagger.push(Buffer.from('o'), nowMs)).toHaveLength(0);
    expect(tagger.push(Buffer.from('\n\n'), nowMs + 1).toString()).toBe(
      '2026-01-02T03:04:05.007Z [stdout] two\n2026-01-02T03:04:05.007Z [stdout] \n',
    );
    expect(tagger.flush(nowMs)).toHaveLength(0);
  });

  it('does not change when the buffer it came in is used again', () => {
    const buffer = Buffer.from('begun');
    const tagger = new LineTagger('stdout');
    tagger.push(buffer, nowMs);
    buffer.fill('x');
    expect(tagger.push(Buffer.from(' ended\n'), nowMs).toString()).toContain('] begun ended\n');
  });

  it('that is long becomes several, none of which cuts a character or is too long as JSON', () => {
    const text = `${'x'.repeat(8190)}${'é€😀'.repeat(5000)}\n`;
    const pieces = parseLines(tag([Buffer.from(text)]), 0).map((line) => line.text.slice(0, -1));
    expect(pieces.join('')).toBe(text.slice(0, -1));
    const controls = parseLines(tag([Buffer.alloc(100_000, 1)]), 0);
    expect(Math.max(...controls.map((line) => Buffer.byteLength(JSON.stringify(line))))).toBeLessThan(60_000);
  });

  it('is the same however its bytes were cut', () => {
    const chunk = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
      fc.constant(Buffer.from('\n')),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 8000, max: 20_000 }).map((length) => Buffer.alloc(length, 'é')),
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), (pieces) => {
        expect(tag(pieces).equals(tag([Buffer.concat(pieces)]))).toBe(true);
        const back = parseLines(tag(pieces), 0);
        expect(back.every(({ stream, timeMs }) => stream === 'stderr' && timeMs === nowMs)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('parseLines', () => {
  it('takes what a sprite’s root made of a log for output', () => {
    const text =
      'no tag\n2026-99-99T03:04:05.006Z [stdout] bad time\n2026-01-02T03:04:05.006Z [other] x\nlast';
    expect(parseLines(Buffer.from(text), 7)).toEqual([
      { stream: 'stdout', timeMs: 7, text: 'no tag\n' },
      { stream: 'stdout', timeMs: 7, text: 'bad time\n' },
      { stream: 'stdout', timeMs: 7, text: '2026-01-02T03:04:05.006Z [other] x\n' },
      { stream: 'stdout', timeMs: 7, text: 'last\n' },
    ]);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseLines(Buffer.from(bytes), 0)));
  });
});

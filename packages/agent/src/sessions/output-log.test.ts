import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamIds } from '@sprites/contract/exec';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { OutputLog } from './output-log.ts';

const directory = mkdtempSync(join(tmpdir(), 'sprites-log-'));
afterAll(() => rmSync(directory, { recursive: true }));

function readAll(log: OutputLog): { stream: number; text: string }[] {
  const pieces: { stream: number; text: string }[] = [];
  const target = Buffer.alloc(1000);
  for (let at = log.start; ; ) {
    const piece = log.read(at, target);
    if (piece === undefined) return pieces;
    pieces.push({ stream: piece.stream, text: target.subarray(0, piece.length).toString('latin1') });
    at += piece.length;
  }
}

describe('OutputLog', () => {
  it('keeps the two streams apart and in order', () => {
    const log = new OutputLog({ directory, capacityBytes: 1024 * 1024 });
    log.append(streamIds.stdout, Buffer.from('a'));
    log.append(streamIds.stderr, Buffer.from('b'));
    log.append(streamIds.stdout, Buffer.from('c'));
    log.append(streamIds.stdout, Buffer.from('d'));
    expect(readAll(log)).toEqual([
      { stream: 1, text: 'a' },
      { stream: 2, text: 'b' },
      { stream: 1, text: 'cd' },
    ]);
    log.close();
  });

  it('holds the last bytes of whatever was written', () => {
    const chunk = fc.tuple(
      fc.constantFrom(streamIds.stdout, streamIds.stderr),
      fc.integer({ min: 1, max: 60_000 }),
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
        const capacityBytes = 200_000;
        const log = new OutputLog({ directory, capacityBytes });
        const whole = chunks.map(([, length], index) => Buffer.alloc(length, `${index},`));
        for (const [index, [stream]] of chunks.entries()) log.append(stream, whole[index] ?? Buffer.alloc(0));
        const all = Buffer.concat(whole).toString('latin1');
        expect(log.end).toBe(all.length);
        expect(log.start).toBe(Math.max(0, all.length - capacityBytes));
        const kept = readAll(log);
        expect(kept.map(({ text }) => text).join('') === all.slice(log.start)).toBe(true);
        log.close();
      }),
      { numRuns: 50 },
    );
  });

  it('leaves no file behind, not even while it is open', () => {
    const log = new OutputLog({ directory, capacityBytes: 1024 * 1024 });
    for (let i = 0; i < 10; i++) log.append(streamIds.stdout, Buffer.alloc(60_000));
    expect(log.start).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
    log.close();
  });

  it('keeps output in memory, and says what is gone, when there is no disk', () => {
    const log = new OutputLog({ directory: join(directory, 'missing'), capacityBytes: 4 * 1024 * 1024 });
    for (let i = 0; i < 40; i++) log.append(streamIds.stdout, Buffer.alloc(60_000, 'x'));
    expect(log.end - log.start).toBe(1024 * 1024);
    log.close();
  });

  it.skipIf(process.getuid?.() !== 0)(
    'goes on in memory when the disk fills up (needs root to mount one)',
    () => {
      const small = mkdtempSync(join(directory, 'small-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'sprites-log', small]);
      try {
        const log = new OutputLog({ directory: small, capacityBytes: 4 * 1024 * 1024 });
        for (let i = 0; i < 30; i++) log.append(streamIds.stdout, Buffer.alloc(60_000, 65 + i));
        expect(log.end).toBe(1_800_000);
        expect(log.start).toBeGreaterThan(400_000);
        const kept = readAll(log)
          .map(({ text }) => text)
          .join('');
        expect(kept).toHaveLength(log.end - log.start);
        expect([kept.slice(-60_000), kept[0]]).toEqual([
          '^'.repeat(60_000),
          String.fromCharCode(65 + Math.floor(log.start / 60_000)),
        ]);
        log.close();
      } finally {
        execFileSync('umount', ['-l', small]);
      }
    },
  );

  it('bounds what it remembers of alternating streams', () => {
    const log = new OutputLog({ directory, capacityBytes: 1024 * 1024 });
    for (let i = 0; i < 100_000; i++) log.append(i % 2 === 0 ? 1 : 2, Buffer.from('x'));
    expect(log.end).toBe(100_000);
    expect(log.end - log.start).toBeGreaterThan(10_000);
    expect(readAll(log)[0]?.text).toBe('x');
    log.close();
  });
});

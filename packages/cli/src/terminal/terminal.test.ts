import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAge } from './age.ts';
import { beforeDetachKey } from './detach-key.ts';
import { ScreenModes } from './screen-modes.ts';
import { createStyle, printable } from './style.ts';
import { formatTable } from './table.ts';

describe('ScreenModes', () => {
  const resetAfter = (...chunks: string[]): string => {
    const modes = new ScreenModes();
    for (const chunk of chunks) modes.see(Buffer.from(chunk, 'latin1'));
    return modes.reset();
  };

  it('writes nothing when nothing was changed, or it was put back', () => {
    expect(resetAfter('hello \x1b[31mred\x1b[0m')).toBe('');
    expect(resetAfter('\x1b[?1049h\x1b[?25l\x1b[>1u', 'x', '\x1b[<u\x1b[?25h\x1b[?1049l')).toBe('');
    expect(resetAfter('\x1b[?2004h\x1b[?25l', '\x1bc')).toBe('');
  });

  it('undoes what is still on', () => {
    expect(resetAfter('\x1b[?1049;2004h')).toBe('\x1b[?1049l\x1b[?2004l\x1b[0m');
    expect(resetAfter('\x1b[?25l\x1b[>1u\x1b[>4;2m\x1b=')).toBe('\x1b[<1u\x1b[>4m\x1b>\x1b[?25h\x1b[0m');
  });

  it('sees sequences that were cut in two', () => {
    for (let cut = 1; cut < 8; cut++) {
      const text = '\x1b[?1049h';
      expect(resetAfter(`ab${text.slice(0, cut)}`, `${text.slice(cut)}cd`)).toBe('\x1b[?1049l\x1b[0m');
    }
  });

  it('never throws and stays small, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const modes = new ScreenModes();
        for (const chunk of chunks) modes.see(Buffer.concat([Buffer.from('\x1b['), chunk]));
        expect(modes.reset().length).toBeLessThan(300);
      }),
    );
  });
});

describe('beforeDetachKey', () => {
  const before = (text: string): string | undefined =>
    beforeDetachKey(Buffer.from(text, 'latin1'))?.toString();

  it('finds Ctrl+\\ in each of its spellings and keeps what was typed before it', () => {
    expect([before('ls\x1cx'), before('\x1b[92;5u'), before('a\x1b[27;5;92~')]).toEqual(['ls', '', 'a']);
  });

  it('leaves everything else alone', () => {
    expect([before('\\'), before('\x1b[92u'), before('\x03\x04\x1b[A')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('formatTable', () => {
  it('lines up columns and does not count colours', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['\x1b[1mwide one\x1b[22m', 'x'],
          ['b', 'y'],
        ],
      ),
    ).toBe('A         LONG\n\x1b[1mwide one\x1b[22m  x\nb         y');
  });
});

describe('createStyle', () => {
  it('colours only a terminal, and never against NO_COLOR', () => {
    expect(createStyle({ isTTY: true }, false).good('x')).toBe('\x1b[32mx\x1b[39m');
    expect(createStyle({ isTTY: true }, true).good('x')).toBe('x');
    expect(createStyle({}, false).bad('x')).toBe('x');
  });
});

describe('printable', () => {
  it('lets no control sequence of a server through to the terminal', () => {
    expect(printable('a\x1b]0;evil\x07\nb\x9bc ü')).toBe('a?]0;evil??b?c ü');
  });
});

describe('formatAge', () => {
  it('uses the largest unit', () => {
    const at = (seconds: number): string => formatAge(new Date(0), seconds * 1000);
    expect([at(5), at(61), at(7200), at(200_000)]).toEqual(['5s ago', '1m ago', '2h ago', '2d ago']);
    expect(formatAge(undefined, 0)).toBe('-');
  });
});

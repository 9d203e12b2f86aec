import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitArchivePath } from './archive-path.ts';
import { FileError } from './errors.ts';
import { formatTarEnd, formatTarHeader, type TarEntry, tarPadding } from './tar.ts';
import { type TarPiece, TarReader } from './tar-reader.ts';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes) => bytes.map((byte) => byte || 0x61));
const entries = fc.array(
  fc.record({
    path: name,
    content: fc.uint8Array({ maxLength: 1500 }),
    mode: fc.nat(0o7777),
    modTime: fc.nat(),
  }),
  { maxLength: 5 },
);

function readAll(bytes: Uint8Array, chunkBytes: number): TarPiece[] {
  const reader = new TarReader();
  const pieces: TarPiece[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    pieces.push(...reader.read(bytes.subarray(at, at + chunkBytes)));
  return pieces;
}

describe('an archive', () => {
  it('reads as it was written, whatever its chunks', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 2000 }), (list, chunkBytes) => {
        const written = list.flatMap(({ content, ...rest }) => [
          formatTarHeader({ type: 'file', size: content.length, ...rest }),
          content,
          tarPadding(content.length),
        ]);
        const pieces = readAll(Buffer.concat([...written, formatTarEnd('note')]), chunkBytes);
        const found = pieces.flatMap((piece) => (piece.type === 'entry' ? [piece.entry] : []));
        expect(found).toEqual(
          list.map(({ content, ...rest }) => ({ type: 'file', size: content.length, ...rest })),
        );
        const data = pieces.flatMap((piece) => (piece.type === 'data' ? [piece.bytes] : []));
        expect(Buffer.concat(data)).toEqual(Buffer.concat(list.map(({ content }) => content)));
        expect(pieces.at(-1)).toEqual({ type: 'comment', text: 'note', end: Buffer.concat(written).length });
      }),
    );
  });

  it('keeps sizes that octal numbers do not hold', () => {
    const entry: TarEntry = { type: 'file', path: Buffer.from('x'), mode: 0o644, size: 2 ** 40, modTime: 0 };
    expect(readAll(formatTarHeader(entry), 512)).toEqual([
      { type: 'entry', entry: { ...entry, path: new Uint8Array(entry.path) } },
    ]);
  });

  it('throws nothing but EINVAL for bytes that are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(511), fc.nat(255), (bytes, at, byte) => {
        const damaged = formatTarHeader({
          type: 'file',
          path: bytes.subarray(0, 150),
          mode: 0,
          size: 5,
          modTime: 0,
        });
        damaged[at] = byte;
        for (const input of [bytes, damaged]) {
          try {
            readAll(input, 100);
          } catch (error) {
            expect(error).toBeInstanceOf(FileError);
          }
        }
      }),
    );
  });
});

describe('the path of an entry', () => {
  it('is split, and never leads out', () => {
    expect(splitArchivePath(Buffer.from('./a//b/'))).toEqual(['a', 'b']);
    expect(splitArchivePath(Buffer.from('.'))).toEqual([]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(splitArchivePath(Buffer.from(text))).not.toContain('..');
        } catch (error) {
          expect(error).toBeInstanceOf(FileError);
        }
      }),
    );
  });
});

import { FileError } from './errors.ts';
import { type TarEntry, tarBlockBytes, tarChecksum } from './tar.ts';

/** What comes out of an archive, in order. */
export type TarPiece =
  | { readonly type: 'entry'; readonly entry: TarEntry }
  /** bytes of the file told of last */
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  /** a comment for whoever reads the archive; `end` is how many bytes of the archive come before it */
  | { readonly type: 'comment'; readonly text: string; readonly end: number };

/** No extended header is longer: it holds two paths and some numbers. */
const largestExtension = 64 * 1024;
const decoder = new TextDecoder('utf-8');

type Extension = ReadonlyMap<string, Uint8Array>;

/** Reads an archive from chunks of any size. What comes from outside may be anything: it throws `EINVAL` for what is no archive. */
export class TarReader {
  readonly #block = new Uint8Array(tarBlockBytes);
  #filled = 0;
  /** bytes of the present entry's content that are still to come, and of the zeros behind it */
  #left = 0;
  #padding = 0;
  #extension:
    | { readonly flag: string; readonly bytes: Uint8Array; filled: number; readonly start: number }
    | undefined;
  #next: Extension = new Map();
  #position = 0;
  #isOver = false;

  /** Whether the end of the archive has come. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes the next bytes and tells what is in them. The pieces hold views of the chunk. */
  *read(chunk: Uint8Array): Generator<TarPiece, void, undefined> {
    let rest = chunk;
    while (rest.length > 0 && !this.#isOver) {
      const before = rest.length;
      if (this.#extension !== undefined) rest = yield* this.#readExtension(rest);
      else if (this.#left > 0) rest = yield* this.#readData(rest);
      else if (this.#padding > 0) rest = this.#skip(rest);
      else rest = yield* this.#readHeader(rest);
      this.#position += before - rest.length;
    }
  }

  *#readData(rest: Uint8Array): Generator<TarPiece, Uint8Array, undefined> {
    const bytes = rest.subarray(0, this.#left);
    this.#left -= bytes.length;
    yield { type: 'data', bytes };
    return rest.subarray(bytes.length);
  }

  #skip(rest: Uint8Array): Uint8Array {
    const count = Math.min(this.#padding, rest.length);
    this.#padding -= count;
    return rest.subarray(count);
  }

  *#readHeader(rest: Uint8Array): Generator<TarPiece, Uint8Array, undefined> {
    const part = rest.subarray(0, tarBlockBytes - this.#filled);
    this.#block.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled < tarBlockBytes) return rest.subarray(part.length);
    this.#filled = 0;
    const block = this.#block;
    if (block.every((byte) => byte === 0)) {
      this.#isOver = true;
      return rest.subarray(part.length);
    }
    if (readOctal(block, 148, 8) !== tarChecksum(block)) throw invalid('a header is damaged');
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = readSize(block, this.#next);
    this.#padding = (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes;
    if (flag === 'x' || flag === 'g')
      this.#beginExtension(flag, size, this.#position + part.length - tarBlockBytes);
    else {
      this.#left = flag === '0' || flag === '\0' ? size : 0;
      yield { type: 'entry', entry: toEntry(block, flag, size, this.#next) };
      this.#next = new Map();
    }
    return rest.subarray(part.length);
  }

  #beginExtension(flag: string, size: number, start: number): void {
    if (size > largestExtension) throw invalid('an extended header is too long');
    if (size > 0) this.#extension = { flag, bytes: new Uint8Array(size), filled: 0, start };
  }

  *#readExtension(rest: Uint8Array): Generator<TarPiece, Uint8Array, undefined> {
    const extension = this.#extension;
    if (extension === undefined) return rest;
    const part = rest.subarray(0, extension.bytes.length - extension.filled);
    extension.bytes.set(part, extension.filled);
    extension.filled += part.length;
    if (extension.filled === extension.bytes.length) {
      this.#extension = undefined;
      const records = readRecords(extension.bytes);
      const comment = records.get('comment');
      if (extension.flag === 'x') this.#next = records;
      else if (comment !== undefined)
        yield { type: 'comment', text: decoder.decode(comment), end: extension.start };
    }
    return rest.subarray(part.length);
  }
}

function toEntry(block: Uint8Array, flag: string, size: number, extension: Extension): TarEntry {
  const path = extension.get('path') ?? readPath(block);
  const common = { path, mode: readOctal(block, 100, 8) & 0o7777, modTime: readOctal(block, 136, 12) };
  if (flag === '0' || flag === '\0') return { ...common, type: 'file', size };
  if (flag === '5') return { ...common, type: 'directory', size: 0 };
  if (flag !== '2')
    throw invalid(
      `it holds an entry of kind ${JSON.stringify(flag)}; files, directories and symlinks are taken`,
    );
  return {
    ...common,
    type: 'symlink',
    size: 0,
    target: extension.get('linkpath') ?? readText(block, 157, 100),
  };
}

/** A long path may be in two fields: what comes first is in the second. */
function readPath(block: Uint8Array): Uint8Array {
  const name = readText(block, 0, 100);
  const isUstar = decoder.decode(block.subarray(257, 262)) === 'ustar';
  const prefix = isUstar ? readText(block, 345, 155) : new Uint8Array(0);
  if (prefix.length === 0) return name;
  const path = new Uint8Array(prefix.length + 1 + name.length);
  path.set(prefix);
  path[prefix.length] = 0x2f;
  path.set(name, prefix.length + 1);
  return path;
}

function readSize(block: Uint8Array, extension: Extension): number {
  const extended = extension.get('size');
  const size = extended === undefined ? readOctal(block, 124, 12) : Number(decoder.decode(extended));
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw invalid('a size is no number');
}

function readText(block: Uint8Array, start: number, length: number): Uint8Array {
  const field = block.slice(start, start + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

function readOctal(block: Uint8Array, start: number, length: number): number {
  const text = decoder.decode(readText(block, start, length)).trim();
  if (text === '') return 0;
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  throw invalid('a number is damaged');
}

function readRecords(bytes: Uint8Array): Extension {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const equals = bytes.indexOf(0x3d, space);
    const length = Number(decoder.decode(bytes.subarray(at, Math.max(at, space))));
    const isSound =
      space > at &&
      equals > space &&
      Number.isInteger(length) &&
      at + length <= bytes.length &&
      at + length > equals;
    if (!isSound) throw invalid('an extended header is damaged');
    records.set(decoder.decode(bytes.subarray(space + 1, equals)), bytes.slice(equals + 1, at + length - 1));
    at += length;
  }
  return records;
}

function invalid(what: string): FileError {
  return new FileError('EINVAL', '', `this is no archive that can be read: ${what}`);
}

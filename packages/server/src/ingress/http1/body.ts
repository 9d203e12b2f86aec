import { type Framing, HttpSyntaxError, parseField } from './head.ts';

/** Longest line of a chunked body, in bytes: a size with extensions, or a trailer field. */
const longestLineBytes = 8192;
/** Most bytes of all trailer fields of one body. */
const mostTrailerBytes = 64 * 1024;

/** Follows a body to its end without changing a byte of it. */
export interface BodyReader {
  /** true when nothing of the body is missing any more */
  readonly isDone: boolean;
  /** Moves on in `bytes` from `start`; answers where the body's part of them ends. Throws `HttpSyntaxError`. */
  read(bytes: Buffer, start: number): number;
}

export function createBodyReader(framing: Framing): BodyReader {
  switch (framing.type) {
    case 'none':
      return new LengthReader(0);
    case 'length':
      return new LengthReader(framing.bytes);
    case 'chunked':
      return new ChunkedReader();
    case 'until-close':
      return new LengthReader(Number.POSITIVE_INFINITY);
    default:
      return framing satisfies never;
  }
}

class LengthReader implements BodyReader {
  #missing: number;

  constructor(bytes: number) {
    this.#missing = bytes;
  }

  get isDone(): boolean {
    return this.#missing === 0;
  }

  read(bytes: Buffer, start: number): number {
    const taken = Math.min(this.#missing, bytes.length - start);
    this.#missing -= taken;
    return start + taken;
  }
}

/** A chunked body, RFC 9112 section 7.1: each line must end in CR LF, each size be plain hex. */
class ChunkedReader implements BodyReader {
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #missing = 0;
  #line = '';
  #trailerBytes = 0;

  get isDone(): boolean {
    return this.#state === 'done';
  }

  read(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const taken = Math.min(this.#missing, bytes.length - at);
        this.#missing -= taken;
        at += taken;
        if (this.#missing === 0) this.#state = 'data-end';
      } else at = this.#readLine(bytes, at);
    }
    return at;
  }

  #readLine(bytes: Buffer, start: number): number {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed + 1;
    this.#line += bytes.toString('latin1', start, end);
    if (this.#line.length > longestLineBytes)
      throw new HttpSyntaxError('a line of the chunked body is too long');
    if (feed < 0) return end;
    if (!this.#line.endsWith('\r\n'))
      throw new HttpSyntaxError('a line of the chunked body has no proper end');
    const line = this.#line.slice(0, -2);
    this.#line = '';
    this.#take(line);
    return end;
  }

  #take(line: string): void {
    if (this.#state === 'data-end') {
      if (line !== '') throw new HttpSyntaxError('a chunk is longer than its size');
      this.#state = 'size';
    } else if (this.#state === 'size') {
      const size = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1];
      if (size === undefined) throw new HttpSyntaxError('a chunk has no proper size');
      this.#missing = Number.parseInt(size, 16);
      this.#state = this.#missing === 0 ? 'trailer' : 'data';
    } else this.#takeTrailer(line);
  }

  #takeTrailer(line: string): void {
    if (line === '') {
      this.#state = 'done';
      return;
    }
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > mostTrailerBytes) throw new HttpSyntaxError('the trailer is too long', 431);
    const { name, key } = parseField(line);
    // fields that frame, route or authorise a message must come before its body
    if (notInTrailer.has(key)) throw new HttpSyntaxError(`${name} must not be in the trailer`);
  }
}

const notInTrailer = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'authorization',
  'cookie',
  'set-cookie',
  'connection',
  'upgrade',
  'trailer',
]);

import { ExecError } from '../errors.ts';
import type { ExecResult, Output, OutputEncoding } from '../options.ts';

const defaultMaxBuffer = 10 * 1_048_576;

/** Gathers one output stream up to a bound. */
export class OutputBuffer {
  readonly #stream: 'stdout' | 'stderr';
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(stream: 'stdout' | 'stderr', maxBytes = defaultMaxBuffer) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
  }

  /** Throws a RangeError when the bound is passed. */
  push(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) {
      throw new RangeError(`${this.#stream} maxBuffer exceeded: more than ${this.#maxBytes} bytes of output`);
    }
    this.#chunks.push(chunk);
  }

  concat(): Uint8Array {
    // a Buffer where there is one, for its methods
    if (typeof Buffer !== 'undefined') return Buffer.concat(this.#chunks, this.#size);
    const all = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}

/** The result of a command that ended with 0; throws an ExecError for any other status. */
export function toResult<E extends OutputEncoding>(
  stdout: OutputBuffer,
  stderr: OutputBuffer,
  exitCode: number,
  encoding: E,
): ExecResult<Output<E>> {
  const result = {
    stdout: decode(stdout.concat(), encoding),
    stderr: decode(stderr.concat(), encoding),
    exitCode,
  };
  if (exitCode !== 0) throw new ExecError(`Command failed with exit code ${exitCode}`, result);
  return result;
}

function decode<E extends OutputEncoding>(bytes: Uint8Array, encoding: E): Output<E> {
  const text: OutputEncoding = encoding;
  // each branch is what Output<E> says of that encoding, which narrowing E cannot show
  if (text === 'buffer') return bytes as Output<E>;
  if (text === 'utf8' || text === 'utf-8') {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) as Output<E>;
  }
  if (typeof Buffer === 'undefined') throw new TypeError(`encoding ${text} needs Node; use utf8 or buffer`);
  return Buffer.from(bytes).toString(text) as Output<E>;
}

import { HttpSyntaxError } from './head.ts';

const end = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);

/** Collects a message's head from the pieces in which it comes. */
export class HeadBuffer {
  readonly #mostBytes: number;
  #bytes: Buffer | undefined;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === undefined;
  }

  /**
   * Adds a piece. Once the head is whole, answers it as latin-1 text without the empty line at its end, and what came
   * behind it; begins anew then. Throws `HttpSyntaxError` when it is too long.
   */
  add(piece: Buffer): { readonly text: string; readonly rest: Buffer } | undefined {
    const bytes = this.#bytes === undefined ? piece : Buffer.concat([this.#bytes, piece]);
    const searched = Math.max(0, (this.#bytes?.length ?? 0) - 3);
    const at = bytes.indexOf(end, searched);
    if (at > this.#mostBytes || (at < 0 && bytes.length > this.#mostBytes))
      throw new HttpSyntaxError(`the head of the message is longer than ${this.#mostBytes} bytes`, 431);
    if (at < 0) {
      // the piece's memory may be used for the next one
      this.#bytes = bytes === piece ? Buffer.from(piece) : bytes;
      return undefined;
    }
    this.#bytes = undefined;
    return {
      text: bytes.toString('latin1', 0, at),
      rest: at + end.length === bytes.length ? nothing : bytes.subarray(at + end.length),
    };
  }

  /** Takes out what has come so far. */
  take(): Buffer {
    const bytes = this.#bytes ?? Buffer.alloc(0);
    this.#bytes = undefined;
    return bytes;
  }
}

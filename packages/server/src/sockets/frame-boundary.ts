/**
 * Follows where WebSocket frames begin and end in a byte stream without looking at what is in them (RFC 6455
 * section 5.2), so that a frame of our own can be put between two of the agent's.
 */
export class FrameBoundary {
  /** bytes still missing of the current frame's payload */
  #missing = 0;
  /** collected bytes of an unfinished frame header */
  #header: number[] = [];

  /** True when the stream stands exactly between two frames. */
  get isBetweenFrames(): boolean {
    return this.#missing === 0 && this.#header.length === 0;
  }

  /** Moves on by the bytes of `chunk`. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#missing > 0) {
        const skipped = Math.min(this.#missing, chunk.length - at);
        this.#missing -= skipped;
        at += skipped;
        continue;
      }
      this.#header.push(chunk[at] ?? 0);
      at++;
      const size = headerSize(this.#header);
      if (size === undefined || this.#header.length < size) continue;
      this.#missing = payloadLength(this.#header);
      this.#header = [];
    }
  }
}

function headerSize(header: readonly number[]): number | undefined {
  const second = header[1];
  if (second === undefined) return undefined;
  const length = second & 0x7f;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  if (length === 127) return 10 + mask;
  return (length === 126 ? 4 : 2) + mask;
}

function payloadLength(header: readonly number[]): number {
  const length = (header[1] ?? 0) & 0x7f;
  if (length < 126) return length;
  const size = length === 126 ? 2 : 8;
  return header.slice(2, 2 + size).reduce((sum, byte) => sum * 256 + byte, 0);
}

/** An unmasked close frame with a code and a reason of at most 123 bytes. RFC 6455 section 5.5.1. */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, 123);
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = 0x88;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}

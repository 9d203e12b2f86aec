import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import { applyMask } from '@sprites/contract/mask';

/** Room before the payload: the longest header has 14 bytes, and words begin where four divides. */
const headroomBytes = 16;
const maskBytes = 4;
const maskPoolBytes = 8192;
/** Largest payload whose buffer is kept for the next. */
const keptBytes = 256 * 1024;
const finalBinary = 0x82;

/**
 * Sends binary messages as a client does, RFC 6455 section 5.2. It does by words what `ws` does byte by byte, and in a buffer that is used
 * again once the kernel has taken it: masking and memory are most of what sending costs.
 */
export class FrameWriter {
  readonly #to: Writable;
  readonly #masks = Buffer.alloc(maskPoolBytes);
  #maskAt = maskPoolBytes;
  #spare: Buffer | undefined;

  constructor(to: Writable) {
    this.#to = to;
  }

  /** Sends one message; `done` is called when it has left this process or never will. */
  send(payload: Uint8Array, done?: (error?: Error | null) => void): void {
    const { length } = payload;
    const extendedBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const start = headroomBytes - 2 - extendedBytes - maskBytes;
    const buffer = this.#takeBuffer(headroomBytes + length);
    const frame = buffer.subarray(start, headroomBytes + length);
    frame[0] = finalBinary;
    frame[1] = 0x80 | (extendedBytes === 0 ? length : extendedBytes === 2 ? 126 : 127);
    if (extendedBytes === 2) frame.writeUInt16BE(length, 2);
    else if (extendedBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
    const mask = this.#takeMask();
    buffer.set(mask, headroomBytes - maskBytes);
    buffer.set(payload, headroomBytes);
    applyMask(buffer.subarray(headroomBytes, headroomBytes + length), mask);
    this.#to.write(frame, (error) => {
      if (buffer.length <= headroomBytes + keptBytes) this.#spare = buffer;
      done?.(error);
    });
  }

  #takeBuffer(size: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare !== undefined && spare.length >= size ? spare : Buffer.allocUnsafeSlow(size);
  }

  /** Four random bytes, which are valid until the next call. */
  #takeMask(): Uint8Array {
    if (this.#maskAt === maskPoolBytes) {
      randomFillSync(this.#masks);
      this.#maskAt = 0;
    }
    this.#maskAt += maskBytes;
    return this.#masks.subarray(this.#maskAt - maskBytes, this.#maskAt);
  }
}

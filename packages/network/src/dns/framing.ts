/** Cuts a TCP stream of DNS into messages, each behind its length in two bytes. RFC 1035 section 4.2.2. */
export class FrameReader {
  readonly #limitBytes: number;
  #rest: Uint8Array = new Uint8Array(0);
  #broken = false;

  /** A message longer than `limitBytes` breaks the reader; at most that and one chunk is held. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** True once a message was too long; nothing is returned from then on. */
  get broken(): boolean {
    return this.#broken;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#broken) return [];
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Uint8Array[] = [];
    while (bytes.length >= 2) {
      const length = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
      if (length > this.#limitBytes) {
        this.#broken = true;
        return messages;
      }
      if (bytes.length < 2 + length) break;
      messages.push(bytes.subarray(2, 2 + length));
      bytes = bytes.subarray(2 + length);
    }
    this.#rest = bytes;
    return messages;
  }
}

/** The message with its length in front. */
export function frame(message: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message]);
}

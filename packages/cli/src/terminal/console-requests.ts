/** What a program in a sprite may ask of the console at which it is used. */
export type ConsoleRequestHandlers = {
  /** the text is whatever the sprite sent */
  readonly open: (address: string) => void;
  readonly detach: () => void;
};

const start = Buffer.from('\x1b]9999;');
/** Longest sequence that counts. */
const mostBytes = 4096;
const pattern = /\x1b\]9999;(?:browser-open;([^\x00-\x1f\x7f]+)|(console-detach))(?:\x07|\x1b\\)/g;

/**
 * Watches the output of a terminal program for requests to the console: `OSC 9999 ; browser-open ; <address> ST`, with a
 * list of ports behind the address or not, and `OSC 9999 ; console-detach ST`. Output goes on as it is; terminals ignore
 * sequences they do not know.
 */
export class ConsoleRequests {
  readonly #handlers: ConsoleRequestHandlers;
  #replayed: number;
  #tail = Buffer.alloc(0);

  /** What the first `replayBytes` bytes ask for was asked long ago. */
  constructor(handlers: ConsoleRequestHandlers, replayBytes = 0) {
    this.#handlers = handlers;
    this.#replayed = replayBytes;
  }

  see(chunk: Uint8Array): void {
    const skipped = Math.min(this.#replayed, chunk.length);
    this.#replayed -= skipped;
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset + skipped, chunk.length - skipped);
    const bytes = this.#tail.length === 0 ? fresh : Buffer.concat([this.#tail, fresh]);
    this.#tail = Buffer.from(findTail(bytes));
    if (!bytes.includes(start)) return;
    for (const [, address, detach] of bytes.toString('utf8').matchAll(pattern)) {
      if (detach !== undefined) this.#handlers.detach();
      else if (address !== undefined) this.#handlers.open(address.replace(/;[\d,]*$/, ''));
    }
  }
}

/** The bytes at the end that may be the beginning of a sequence. */
function findTail(bytes: Buffer): Buffer {
  const at = bytes.lastIndexOf(start);
  if (at >= 0) {
    const isEnded = bytes.indexOf(0x07, at) >= 0 || bytes.indexOf('\x1b\\', at + 1) >= 0;
    if (!isEnded) return bytes.length - at > mostBytes ? Buffer.alloc(0) : bytes.subarray(at);
  }
  for (let length = Math.min(start.length - 1, bytes.length); length > 0; length--) {
    const end = bytes.subarray(bytes.length - length);
    if (end.equals(start.subarray(0, length))) return end;
  }
  return Buffer.alloc(0);
}

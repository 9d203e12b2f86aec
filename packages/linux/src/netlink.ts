import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { defineCall } from './syscall.ts';

const afNetlink = 16;
const sockRawCloexec = 3 | 0o2000000;
/** Kernel interfaces a socket can speak to. */
export const netlinkProtocol = { route: 0, netfilter: 12 } as const;
const msgDontWait = 0x40;
const errorMessage = 2;
const headerBytes = 16;
const receiveBytes = 64 * 1024;

const libc = koffi.load('libc.so.6');
const openSocket = libc.func('socket', 'int', ['int', 'int', 'int']);
const receive = libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
const send = defineCall('send', 'long', ['int', 'const void *', 'size_t', 'int']);

/** A request to the kernel: its kind, the flags beyond request and acknowledge, and what it says. */
export type NetlinkRequest = {
  /** what it does, for errors */
  readonly label: string;
  readonly kind: number;
  readonly flags: number;
  readonly body: Uint8Array;
  /** true for the marks around a batch, which the kernel does not answer */
  readonly unanswered?: boolean;
};

/** A request the kernel refused. */
export class NetlinkError extends Error {
  readonly errno: number;

  constructor(label: string, errno: number) {
    super(`${label}: kernel answered errno ${errno}`);
    this.name = 'NetlinkError';
    this.errno = errno;
  }
}

/**
 * A netlink socket (RFC 3549). It belongs to the network namespace of the thread that opens it, wherever it is used
 * afterwards. Requests are sent from a thread of the pool, since the kernel may make them wait for its lock.
 */
export class Netlink {
  readonly #fd: number;
  #sequence = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(protocol: number = netlinkProtocol.route) {
    const fd: unknown = openSocket(afNetlink, sockRawCloexec, protocol);
    if (typeof fd !== 'number' || fd < 0) throw new Error('cannot open a netlink socket');
    this.#fd = fd;
  }

  /** Carries out the requests in order, all of them even when one fails; then throws the first failure. */
  request(requests: readonly NetlinkRequest[]): Promise<void> {
    const done = this.#tail.then(() => this.#request(requests));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Closes the socket after what is under way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#tail.then(() => closeSync(this.#fd));
  }

  async #request(requests: readonly NetlinkRequest[]): Promise<void> {
    const first = this.#sequence + 1;
    const bytes = Buffer.concat(requests.map((request) => this.#encode(request)));
    await send(this.#fd, bytes, bytes.length, 0);
    // The kernel answers before `send` returns, so everything is there to be read.
    const answers = this.#readAnswers();
    for (const [index, { label, unanswered = false }] of requests.entries()) {
      const errno = answers.get(first + index) ?? (unanswered ? 0 : undefined);
      if (errno === undefined) throw new Error(`${label}: no answer from the kernel`);
      if (errno !== 0) throw new NetlinkError(label, errno);
    }
  }

  #encode({ kind, flags, body, unanswered = false }: NetlinkRequest): Buffer {
    const header = Buffer.alloc(headerBytes);
    header.writeUInt32LE(headerBytes + body.length, 0);
    header.writeUInt16LE(kind, 4);
    header.writeUInt16LE(flags | 1 | (unanswered ? 0 : 4), 6);
    this.#sequence = (this.#sequence + 1) % 2 ** 31;
    header.writeUInt32LE(this.#sequence, 8);
    return Buffer.concat([header, body]);
  }

  /** Error numbers by sequence number; 0 is success. */
  #readAnswers(): ReadonlyMap<number, number> {
    const answers = new Map<number, number>();
    const buffer = Buffer.alloc(receiveBytes);
    for (;;) {
      const length = Number(receive(this.#fd, buffer, buffer.length, msgDontWait));
      if (length <= 0) return answers;
      let offset = 0;
      while (offset + headerBytes + 4 <= length) {
        const size = buffer.readUInt32LE(offset);
        if (buffer.readUInt16LE(offset + 4) === errorMessage) {
          answers.set(buffer.readUInt32LE(offset + 8), -buffer.readInt32LE(offset + headerBytes));
        }
        offset += Math.max(headerBytes, (size + 3) & ~3);
      }
    }
  }
}

/** An attribute: its length, kind and value, padded to four bytes. */
export function attribute(kind: number, value: Uint8Array | string | number): Buffer {
  const bytes = toBytes(value);
  const buffer = Buffer.alloc((4 + bytes.length + 3) & ~3);
  buffer.writeUInt16LE(4 + bytes.length, 0);
  buffer.writeUInt16LE(kind, 2);
  buffer.set(bytes, 4);
  return buffer;
}

function toBytes(value: Uint8Array | string | number): Uint8Array {
  if (typeof value === 'string') return Buffer.from(`${value}\0`, 'latin1');
  if (typeof value !== 'number') return value;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

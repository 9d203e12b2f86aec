import { closeSync } from 'node:fs';
import { libc } from '../kernel/libc.ts';

const afNetlink = 16;
const sockRawCloexec = 3 | 0o2000000;
const netlinkSockDiag = 4;
const families = [2, 10] as const;
const sockDiagByFamily = 20;
/** NLM_F_REQUEST and NLM_F_DUMP */
const dumpFlags = 0x301;
const doneMessage = 3;
const errorMessage = 2;
const protocolTcp = 6;
const stateListen = 1 << 10;
const headerBytes = 16;
const requestBytes = 72;
const doNotWait = 0x40;
const receiveBytes = 32 * 1024;
/** Nobody needs to hear of more, and a sprite can open tens of thousands. */
const mostSockets = 1024;

/** A TCP socket that listens. */
export type ListeningSocket = { readonly address: string; readonly port: number; readonly inode: number };

/** Asks the kernel which TCP sockets of this network namespace listen; close it when done. */
export class SocketDiag {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(receiveBytes);
  readonly #requests = families.map(createRequest);

  constructor() {
    this.#fd = libc.socket(afNetlink, sockRawCloexec, netlinkSockDiag);
    if (this.#fd < 0) throw new Error('the kernel gave no socket to ask for ports');
  }

  /** Takes some 50 µs, however many connections there are. */
  list(): readonly ListeningSocket[] {
    const found: ListeningSocket[] = [];
    for (const request of this.#requests) {
      if (Number(libc.send(this.#fd, request, BigInt(request.length), 0)) < 0) break;
      this.#receive(found);
    }
    return found;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #receive(found: ListeningSocket[]): void {
    for (;;) {
      // The kernel has the whole answer ready, or its next part, when the call before returns.
      const count = Number(libc.recv(this.#fd, this.#buffer, BigInt(receiveBytes), doNotWait));
      if (count <= 0 || !readMessages(this.#buffer.subarray(0, count), found)) return;
    }
  }
}

function createRequest(family: number): Buffer {
  const request = Buffer.alloc(requestBytes);
  request.writeUInt32LE(requestBytes, 0);
  request.writeUInt16LE(sockDiagByFamily, 4);
  request.writeUInt16LE(dumpFlags, 6);
  request[headerBytes] = family;
  request[headerBytes + 1] = protocolTcp;
  request.writeUInt32LE(stateListen, headerBytes + 4);
  return request;
}

/** Reads the messages of one datagram; false when the last one was among them. */
function readMessages(bytes: Buffer, found: ListeningSocket[]): boolean {
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const type = bytes.readUInt16LE(at + 4);
    if (type === doneMessage || type === errorMessage || length < headerBytes) return false;
    const socket = readSocket(bytes.subarray(at + headerBytes, at + length));
    if (socket !== undefined && found.length < mostSockets) found.push(socket);
    at += (length + 3) & ~3;
  }
  return true;
}

/** Reads an `inet_diag_msg`. */
function readSocket(message: Buffer): ListeningSocket | undefined {
  if (message.length < requestBytes) return undefined;
  return {
    port: message.readUInt16BE(4),
    address:
      message[0] === families[0] ? formatIpv4(message.subarray(8, 12)) : formatIpv6(message.subarray(8, 24)),
    inode: message.readUInt32LE(68),
  };
}

function formatIpv4(bytes: Buffer): string {
  return [...bytes].join('.');
}

/** The short form of RFC 5952. */
function formatIpv6(bytes: Buffer): string {
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    return `::ffff:${formatIpv4(bytes.subarray(12))}`;
  }
  const text = words.map((word) => word.toString(16)).join(':');
  const zeros = text.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = zeros.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const at = text.indexOf(longest);
  return `${text.slice(0, at)}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}

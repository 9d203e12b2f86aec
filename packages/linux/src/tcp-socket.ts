import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import koffi from 'koffi';
import { inNetns } from './netns.ts';
import { SystemCallError } from './syscall.ts';

const libc = koffi.load('libc.so.6');
const socketCall = libc.func('socket', 'int', ['int', 'int', 'int']);
const connectCall = libc.func('connect', 'int', ['int', 'void *', 'int']);
const getsockoptCall = libc.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);
const pollCall = libc.func('poll', 'int', ['void *', 'ulong', 'int']);

const families = { 4: 2, 6: 10 } as const;
const sockStreamNonblockCloexec = 1 | 0o4000 | 0o2000000;
const solSocket = 1;
const soError = 4;
const pollOut = 4;
const inProgress = 115;
/** Time between two looks at a connection that the other side did not take at once, in `ms`. */
const lookEveryMs = 5;

export type LoopbackTarget = {
  /** descriptor of the network namespace whose loopback is meant */
  readonly netnsFd: number;
  readonly family: 4 | 6;
  readonly port: number;
  /** takes what is read, in memory of its own */
  readonly reader?: { readonly memory: () => Uint8Array; readonly take: (length: number) => void };
};

/**
 * Connects to a port on the loopback of another network namespace; the stream belongs to that namespace. Rejects with a
 * `SystemCallError`, such as `ECONNREFUSED`, or with the signal's reason. Nothing of this waits in the kernel: a guest that
 * takes no connections must not hold up the event loop.
 */
export async function connectLoopback(target: LoopbackTarget, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const fd = begin(target);
  try {
    while (!isWritable(fd)) await delay(lookEveryMs, undefined, { signal });
    const errno = pendingError(fd);
    if (errno !== 0) throw new SystemCallError('connect', errno, `port ${target.port}`);
    const { reader } = target;
    const onread = reader && { buffer: reader.memory, callback: passTo(reader) };
    return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true, ...(onread && { onread }) });
  } catch (error) {
    closeSync(fd);
    throw signal.aborted ? signal.reason : error;
  }
}

function passTo({ take }: NonNullable<LoopbackTarget['reader']>): (length: number) => boolean {
  return (length) => {
    take(length);
    // whoever wants no more has paused the stream
    return true;
  };
}

function begin({ netnsFd, family, port }: LoopbackTarget): number {
  const fd = call('socket', () =>
    inNetns(netnsFd, () => socketCall(families[family], sockStreamNonblockCloexec, 0)),
  );
  const address = loopback(family, port);
  const result: unknown = connectCall(fd, address, address.length);
  const errno = koffi.errno();
  if (result === 0 || errno === inProgress) return fd;
  closeSync(fd);
  throw new SystemCallError('connect', errno, `port ${port}`);
}

/** `struct sockaddr_in` or `sockaddr_in6` of the loopback address. */
function loopback(family: 4 | 6, port: number): Buffer {
  const address = Buffer.alloc(family === 4 ? 16 : 28);
  address.writeUInt16LE(families[family], 0);
  address.writeUInt16BE(port, 2);
  if (family === 4) address.writeUInt32BE(0x7f00_0001, 4);
  else address[23] = 1;
  return address;
}

function isWritable(fd: number): boolean {
  const request = Buffer.alloc(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(pollOut, 4);
  return call('poll', () => pollCall(request, 1, 0)) > 0;
}

function pendingError(fd: number): number {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeInt32LE(4);
  call('getsockopt', () => getsockoptCall(fd, solSocket, soError, value, length));
  return value.readInt32LE();
}

function call(name: string, run: () => unknown): number {
  const result = run();
  if (typeof result === 'number' && result >= 0) return result;
  throw new SystemCallError(name, koffi.errno(), '');
}

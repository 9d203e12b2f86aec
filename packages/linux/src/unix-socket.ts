import { chmod } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import koffi from 'koffi';
import { inNetns } from './netns.ts';
import { defineCall } from './syscall.ts';

const socketCall = koffi.load('libc.so.6').func('socket', 'int', ['int', 'int', 'int']);
const bindCall = defineCall('bind', 'int', ['int', 'void *', 'int']);
const listenCall = defineCall('listen', 'int', ['int', 'int']);
const closeCall = defineCall('close', 'int', ['int']);

const afUnix = 1;
const sockStreamCloexec = 1 | 0o2000000;
const maxPathBytes = 107;

/** A listening unix socket as a bare file descriptor, to be handed to another process. */
export interface ListeningSocket extends AsyncDisposable {
  readonly fd: number;
  /** Closes this process's copy; the path stays. */
  close(): Promise<void>;
}

export type ListenOptions = {
  /** must not exist */
  readonly path: string;
  readonly backlog: number;
  /** descriptor of the network namespace the socket belongs to */
  readonly netnsFd: number;
};

/**
 * Makes a listening stream socket that only root can connect to. Whoever holds a socket, of whatever family, can ask its
 * network namespace for interfaces and addresses, so one that is handed to a guest must not belong to the host's.
 */
export async function listenUnix({ path, backlog, netnsFd }: ListenOptions): Promise<ListeningSocket> {
  const bytes = Buffer.from(path);
  if (bytes.length > maxPathBytes)
    throw new Error(`socket path is longer than ${maxPathBytes} bytes: ${path}`);
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(afUnix, 0);
  bytes.copy(address, 2);
  const fd: unknown = inNetns(netnsFd, () => socketCall(afUnix, sockStreamCloexec, 0));
  if (typeof fd !== 'number' || fd < 0) throw new Error('cannot make a unix socket');
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await closeCall(fd);
  };
  try {
    await bindCall(fd, address, address.length);
    await chmod(path, 0o600);
    await listenCall(fd, backlog);
  } catch (error) {
    await close();
    throw error;
  }
  return { fd, close, [Symbol.asyncDispose]: close };
}

/**
 * Begins to connect to a unix socket from within a network namespace: the end that the listener accepts belongs to the
 * connecting side's namespace. The kernel finds the path all the same.
 */
export function connectUnix(path: string, netnsFd: number): Socket {
  // Node makes the socket before `connect` returns.
  return inNetns(netnsFd, () => connect({ path }));
}

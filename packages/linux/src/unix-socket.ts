import { chmod } from 'node:fs/promises';
import { defineCall } from './syscall.ts';

const socketCall = defineCall('socket', 'int', ['int', 'int', 'int']);
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

/** Makes a listening stream socket at `path` (which must not exist) that only root can connect to. */
export async function listenUnix(path: string, backlog: number): Promise<ListeningSocket> {
  const bytes = Buffer.from(path);
  if (bytes.length > maxPathBytes)
    throw new Error(`socket path is longer than ${maxPathBytes} bytes: ${path}`);
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(afUnix, 0);
  bytes.copy(address, 2);
  const fd = await socketCall(afUnix, sockStreamCloexec, 0);
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

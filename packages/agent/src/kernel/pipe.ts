import { constants } from 'node:os';
import { libc } from './libc.ts';

const closeOnExec = 0o2000000;
const inputQueueSize = 0x541bn;

/** The two ends of a pipe; both close on exec, and whoever opens them closes them. */
export type Pipe = { readonly readFd: number; readonly writeFd: number };

/**
 * Opens a pipe of the kernel. Node's own "pipes" are socket pairs, which programs cannot open again by
 * `/dev/stdout` or `/proc/self/fd/1`.
 */
export function openPipe(): Pipe {
  const fds = Buffer.alloc(8);
  if (libc.pipe2(fds, closeOnExec) !== 0) throw new Error('pipe2 failed: too many open files');
  return { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
}

/** Counts the bytes that wait in a pipe or terminal; 0 when it cannot tell. */
export function countWaitingBytes(fd: number): number {
  const count = Buffer.alloc(4);
  return libc.ioctl(fd, inputQueueSize, count) === 0 ? count.readInt32LE(0) : 0;
}

/** Opens a connected pair of unix stream sockets. */
export function openSocketPair(): readonly [number, number] {
  const fds = Buffer.alloc(8);
  const unixDomain = 1;
  const streamType = 1;
  if (libc.socketpair(unixDomain, streamType | closeOnExec, 0, fds) !== 0) {
    throw new Error('socketpair failed: too many open files');
  }
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** Lets one file descriptor stand for what another one has open. */
export function replaceFd(fd: number, by: number): void {
  if (libc.dup3(by, fd, closeOnExec) < 0) throw new Error(`dup3 failed for file descriptor ${fd}`);
}

/** The text of an error number, as `strerror` would say it. */
export function describeErrno(errno: number): string {
  const known: Readonly<Record<number, string>> = {
    [constants.errno.E2BIG]: 'argument list too long',
    [constants.errno.EACCES]: 'permission denied',
    [constants.errno.EAGAIN]: 'too many processes; end some and try again',
    [constants.errno.ENOENT]: 'no such file or directory',
    [constants.errno.ENOEXEC]: 'exec format error',
    [constants.errno.ENOMEM]: 'cannot allocate memory',
    [constants.errno.ENOTDIR]: 'not a directory',
    [constants.errno.ETXTBSY]: 'text file busy',
    [constants.errno.ELOOP]: 'too many levels of symbolic links',
    [constants.errno.EPERM]: 'operation not permitted',
    [constants.errno.EMFILE]: 'too many open files',
    [constants.errno.ENFILE]: 'too many open files',
    [constants.errno.EIO]: 'input/output error',
  };
  return known[errno] ?? `error ${errno}`;
}

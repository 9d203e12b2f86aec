import { closeSync, openSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';
import { hasCode } from './syscall.ts';

const cloneNewnet = 0x4000_0000;

const libc = koffi.load('libc.so.6');
const setns = libc.func('setns', 'int', ['int', 'int']);
const unshare = libc.func('unshare', 'int', ['int']);
const nameToIndex = libc.func('if_nametoindex', 'uint', ['str']);

/** Path by which tools such as `ip` name the network namespace of a process. */
export function netnsPath(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/**
 * Does the work with the calling thread in the network namespace of an open file. The work must be synchronous: what it
 * opens keeps belonging to that namespace, and nothing else of this process ever runs there.
 */
export function inNetns<T>(netnsFd: number, work: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    if (setns(netnsFd, cloneNewnet) !== 0)
      throw new Error('cannot enter the network namespace; root is needed');
    try {
      return work();
    } finally {
      // A server that stays behind in a guest's network must not serve another request.
      if (setns(own, cloneNewnet) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

/** Sets values below /proc/sys/net of the calling thread's namespace; those this kernel lacks are left out. */
export function setNetSysctls(values: Readonly<Record<string, string>>): void {
  for (const [path, value] of Object.entries(values)) {
    try {
      writeFileSync(`/proc/sys/net/${path}`, value);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

/** Number of an interface of the calling thread's namespace. */
export function interfaceIndex(name: string): number {
  const index: unknown = nameToIndex(name);
  if (typeof index === 'number' && index > 0) return index;
  throw new Error(`there is no interface ${name}`);
}

/** Opens a new network namespace with no process and no interface in use; it ends with the last descriptor or socket. */
export function openEmptyNetns(): number {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    if (unshare(cloneNewnet) !== 0)
      throw new Error('unshare of the network namespace failed; root is needed');
    try {
      return openSync('/proc/thread-self/ns/net', 'r');
    } finally {
      // As above: this thread serves requests of the host's network only.
      if (setns(own, cloneNewnet) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

/**
 * Moves the calling thread into a new, empty network namespace for good; processes it starts begin there. Threads that
 * exist already stay, those of Node's pool included. For tests that must not touch the host's network.
 */
export function moveToNewNetns(): void {
  if (unshare(cloneNewnet) !== 0) throw new Error('unshare of the network namespace failed; root is needed');
}

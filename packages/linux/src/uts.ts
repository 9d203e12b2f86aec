import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { isAlive, type ProcessIdentity } from './process.ts';

const cloneNewuts = 0x0400_0000;

const libc = koffi.load('libc.so.6');
const setns = libc.func('setns', 'int', ['int', 'int']);
const sethostname = libc.func('sethostname', 'int', ['str', 'size_t']);

/** Sets the host name in the UTS namespace of a process, without a process of our own there. Throws when it has ended. */
export function setHostname(target: ProcessIdentity, hostname: string): void {
  const own = openSync('/proc/thread-self/ns/uts', 'r');
  try {
    const theirs = openSync(`/proc/${target.pid}/ns/uts`, 'r');
    try {
      // asked only now: the namespace that is open is the one of this very process
      if (!isAlive(target)) throw new Error(`process ${target.pid} has ended`);
      rename(own, theirs, hostname);
    } finally {
      closeSync(theirs);
    }
  } finally {
    closeSync(own);
  }
}

function rename(own: number, theirs: number, hostname: string): void {
  if (setns(theirs, cloneNewuts) !== 0) throw new Error('cannot enter the UTS namespace; root is needed');
  try {
    if (sethostname(hostname, Buffer.byteLength(hostname)) !== 0)
      throw new Error(`the kernel refused the host name ${JSON.stringify(hostname)}`);
  } finally {
    // A thread that stays behind would rename the sprite where it means the host.
    if (setns(own, cloneNewuts) !== 0) process.abort();
  }
}

import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { libc, readErrno } from './libc.ts';
import { openSocketPair, replaceFd } from './pipe.ts';

const closeOnExecNonBlocking = 0o2004000;
const headerBytes = 16;

/** What the kernel tells of a watched file or directory. */
export const changes = {
  modify: 0x2,
  attributes: 0x4,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  remove: 0x200,
  removeSelf: 0x400,
  moveSelf: 0x800,
  overflow: 0x4000,
  ignored: 0x8000,
  isDirectory: 0x40000000,
} as const;

const wanted =
  changes.modify |
  changes.attributes |
  changes.movedFrom |
  changes.movedTo |
  changes.create |
  changes.remove |
  changes.removeSelf |
  changes.moveSelf;
/** do not follow what is deleted but still open */
const excludeUnlinked = 0x04000000;

/** One change; `name` is the entry in a watched directory, one character for each byte, or empty for itself. */
export type Change = { readonly watch: number; readonly mask: number; readonly name: string };

/** A queue of changes in the kernel; whoever opens it closes it. */
export class Inotify {
  readonly #socket: Socket;
  readonly #fd: number;

  constructor(onChanges: (changes: readonly Change[]) => void) {
    const fd = libc.inotify_init1(closeOnExecNonBlocking);
    if (fd < 0) throw new Error('too many watches are open in the sprite; close some');
    // Node waits for sockets only, so it gets to see one, and then the queue takes its place.
    const [standIn, other] = openSocketPair();
    closeSync(other);
    this.#socket = new Socket({ fd: standIn, readable: true, writable: false });
    replaceFd(standIn, fd);
    closeSync(fd);
    this.#fd = standIn;
    this.#socket.on('data', (bytes: Buffer) => onChanges(readChanges(bytes)));
    this.#socket.on('error', () => this.#socket.destroy());
  }

  /** Watches what a path leads to, with the rights of the caller; throws the number of the error when it cannot be. */
  add(path: Buffer): number {
    const terminated = Buffer.concat([path, Buffer.of(0)]);
    const watch = libc.inotify_add_watch(this.#fd, terminated, wanted | excludeUnlinked);
    if (watch >= 0) return watch;
    throw new WatchError(readErrno());
  }

  remove(watch: number): void {
    libc.inotify_rm_watch(this.#fd, watch);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The kernel refused a watch. */
export class WatchError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`watching failed with error ${errno}`);
    this.name = 'WatchError';
    this.errno = errno;
  }
}

function readChanges(bytes: Buffer): Change[] {
  const list: Change[] = [];
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 12);
    const name = bytes.subarray(at + headerBytes, at + headerBytes + length).toString('latin1');
    list.push({
      watch: bytes.readInt32LE(at),
      mask: bytes.readUInt32LE(at + 4),
      name: name.replace(/\0+$/, ''),
    });
    at += headerBytes + length;
  }
  return list;
}

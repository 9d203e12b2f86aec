import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { defineCall } from './syscall.ts';

const openTree = defineCall('syscall', 'long', ['long', 'int', 'str', 'uint'], 'open_tree');
const mountSetattr = defineCall(
  'syscall',
  'long',
  ['long', 'int', 'str', 'uint', 'void *', 'size_t'],
  'mount_setattr',
);
const moveMount = defineCall('syscall', 'long', ['long', 'int', 'str', 'int', 'str', 'uint'], 'move_mount');
const close = defineCall('close', 'int', ['int']);

// the same on every architecture
const nrOpenTree = 428;
const nrMoveMount = 429;
const nrMountSetattr = 442;
const atFdcwd = -100;
const atEmptyPath = 0x1000;
const openTreeClone = 1;
const openTreeCloexec = 0o2000000;
const moveMountFromEmptyPath = 4;
const mountAttrIdmap = 0x00100000;
const msPrivate = 1n << 18n;

/** A run of ids: what they are on the one side, on the other, and how many. */
export type IdRange = { readonly inside: number; readonly outside: number; readonly count: number };

/**
 * Opens a user namespace with the given maps for users and groups, for use with `bindIdmapped`.
 * It has no process; closing the handle ends it once no mount uses it.
 */
export async function openUserNamespace(ranges: readonly IdRange[]): Promise<FileHandle> {
  const map = ranges.map((range) => `${range.inside} ${range.outside} ${range.count}\n`).join('');
  const holder = spawn('unshare', ['--user', '--', 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(holder, 'close');
  try {
    // cat answers only when unshare has entered the namespace
    const answered = Promise.race([once(holder.stdout, 'data'), ended.then(() => undefined)]);
    holder.stdin.on('error', () => undefined).write('\n');
    if ((await answered) === undefined || holder.pid === undefined) {
      throw new Error('cannot make a user namespace: unshare ended early');
    }
    await writeFile(`/proc/${holder.pid}/uid_map`, map);
    await writeFile(`/proc/${holder.pid}/gid_map`, map);
    return await open(`/proc/${holder.pid}/ns/user`, 'r');
  } finally {
    holder.stdin.end();
    holder.kill('SIGKILL');
    await ended.catch(() => undefined);
  }
}

export type IdmappedBind = {
  readonly source: string;
  readonly target: string;
  /** fd of a user namespace: its inside ids are those on disk, its outside ids those seen at the target */
  readonly namespaceFd: number;
};

/** Binds `source` (not what is mounted below it) at `target`, privately, with ids translated by the namespace's maps. */
export async function bindIdmapped({ source, target, namespaceFd }: IdmappedBind): Promise<void> {
  const tree = await openTree(nrOpenTree, atFdcwd, source, openTreeClone | openTreeCloexec);
  try {
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(BigInt(mountAttrIdmap), 0);
    attributes.writeBigUInt64LE(msPrivate, 16);
    attributes.writeBigUInt64LE(BigInt(namespaceFd), 24);
    await mountSetattr(nrMountSetattr, tree, '', atEmptyPath, attributes, attributes.length);
    await moveMount(nrMoveMount, tree, '', atFdcwd, target, moveMountFromEmptyPath);
  } finally {
    await close(tree);
  }
}

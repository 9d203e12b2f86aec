import { getRawPointer } from 'node:ffi';
import { readFileSync, statSync } from 'node:fs';
import { libc } from './libc.ts';

/** An account of the sprite, as its own files describe it. */
export type User = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
  /** ids of all groups, the main one included */
  readonly groups: readonly number[];
};

/** numbers of the system calls that change one thread only; the C library's functions change all threads */
const credentialCalls: Readonly<Record<string, { setresuid: bigint; setresgid: bigint; setgroups: bigint }>> =
  {
    x64: { setresuid: 117n, setresgid: 119n, setgroups: 116n },
    arm64: { setresuid: 147n, setresgid: 149n, setgroups: 159n },
  };

/** Finds an account by name in the sprite's passwd file; undefined when there is none. */
export function findUser(name: string): User | undefined {
  const fields = readTable('/etc/passwd').find((line) => line[0] === name);
  if (fields === undefined) return undefined;
  const [, , uid, gid, , home, shell] = fields;
  if (uid === undefined || gid === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  return {
    name,
    uid: Number(uid),
    gid: Number(gid),
    home: home || '/',
    shell: shell || '/bin/sh',
    groups: [...new Set([Number(gid), ...findGroups(name)])],
  };
}

/** The id of a group by its name in the sprite's group file; undefined when there is none. */
export function findGroup(name: string): number | undefined {
  const gid = readTable('/etc/group').find((line) => line[0] === name)?.[2];
  return gid !== undefined && /^\d+$/.test(gid) ? Number(gid) : undefined;
}

/** The account the agent itself runs as. */
export function findOwnUser(): User {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const name = readTable('/etc/passwd').find((line) => line[2] === String(uid))?.[0];
  const user = name === undefined ? undefined : findUser(name);
  return { name: name ?? String(uid), home: '/', shell: '/bin/sh', groups: [gid], ...user, uid, gid };
}

/**
 * Runs `action` with the rights of `user`, so that what it looks up, opens and starts is what the user may.
 * Only root can become another user; the user itself needs no change. `action` must not be asynchronous.
 */
export function asUser<T>(user: User, action: () => T): T {
  const calls = credentialCalls[process.arch];
  if (process.geteuid?.() !== 0 || user.uid === 0 || calls === undefined) return action();
  const [uid, gid] = [BigInt(user.uid), BigInt(user.gid)];
  setGroups(calls.setgroups, user.groups);
  libc.syscall(calls.setresgid, gid, gid, 0n);
  // The saved id stays 0 until exec, which is the way back for this thread and closed to the program.
  libc.syscall(calls.setresuid, uid, uid, 0n);
  try {
    if (process.geteuid?.() !== user.uid) throw new Error(`the kernel refused to become user ${user.name}`);
    return action();
  } finally {
    libc.syscall(calls.setresuid, 0n, 0n, 0n);
    libc.syscall(calls.setresgid, 0n, 0n, 0n);
  }
}

let presentGroups = '';

/** The agent does not need groups of its own, so they stay as the last user's. */
function setGroups(call: bigint, groups: readonly number[]): void {
  if (groups.join() === presentGroups) return;
  presentGroups = groups.join();
  const list = Uint32Array.from(groups);
  libc.syscall(call, BigInt(list.length), getRawPointer(list), 0n);
}

function findGroups(name: string): number[] {
  return readTable('/etc/group')
    .filter((line) => (line[3] ?? '').split(',').includes(name) && /^\d+$/.test(line[2] ?? ''))
    .map((line) => Number(line[2]));
}

type Table = readonly (readonly string[])[];
const tables = new Map<string, { readonly version: string; readonly table: Table }>();
const largestTableBytes = 1024 * 1024;

/** Reads a colon-separated file of the sprite, again only when it changed; empty when it cannot be read. */
function readTable(path: string): Table {
  try {
    const { mtimeMs, size, ino, isFile } = describe(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    const known = tables.get(path);
    if (known?.version === version) return known.table;
    if (!isFile || size > largestTableBytes) return [];
    const table = readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    tables.set(path, { version, table });
    return table;
  } catch {
    // The sprite's owner may have removed or broken the file; commands then run with what the rest says.
    return [];
  }
}

function describe(path: string): { mtimeMs: number; size: number; ino: number; isFile: boolean } {
  const stats = statSync(path);
  return { mtimeMs: stats.mtimeMs, size: stats.size, ino: stats.ino, isFile: stats.isFile() };
}

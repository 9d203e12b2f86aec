import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Descriptors looked at in one search; a sprite full of processes need not be searched to its end. */
const mostDescriptors = 20_000;
const mostAncestors = 64;

/** Finds a process that has each of these sockets open, in one walk over the processes; those not found are missing. */
export function findOwners(inodes: ReadonlySet<number>): ReadonlyMap<number, number> {
  const owners = new Map<number, number>();
  const links = new Map(Array.from(inodes, (inode) => [`socket:[${inode}]`, inode]));
  let left = mostDescriptors;
  // The youngest first: what has just begun to listen has mostly just been started.
  for (const pid of listPids().reverse()) {
    if (owners.size === inodes.size || left <= 0) break;
    const descriptors = listNames(`/proc/${pid}/fd`);
    left -= descriptors.length;
    for (const descriptor of descriptors.slice(0, left)) {
      const inode = links.get(readLink(`/proc/${pid}/fd/${descriptor}`));
      if (inode !== undefined) owners.set(inode, pid);
    }
  }
  return owners;
}

/** The process, its ancestors and the leaders of their sessions: whom it can be said to belong to. */
export function findLineage(pid: number): ReadonlySet<number> {
  const lineage = new Set<number>();
  for (let one = pid; one > 1 && !lineage.has(one) && lineage.size < mostAncestors; ) {
    lineage.add(one);
    const [parent = 0, , session = 0] = readStat(one);
    if (session > 1) lineage.add(session);
    one = parent;
  }
  return lineage;
}

/** Parent, process group and session of a process; nothing when it is gone. */
function readStat(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // A program's name may hold anything, also brackets and spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.slice(1, 4).map(Number);
  } catch {
    return [];
  }
}

function listPids(): number[] {
  return listNames('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // The process has ended meanwhile.
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

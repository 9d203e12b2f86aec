import { readdirSync, readFileSync } from 'node:fs';

/** A process of the sprite. */
type Process = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** in clock ticks since boot */
  readonly startTime: number;
};

const gone: ReadonlySet<string> = new Set(['Z', 'X']);

/** How to tell what belongs to one run of a service. */
export type Family = {
  /** the first process, which made a session and group of its own */
  readonly leader: number;
  readonly hasLeaderEnded: boolean;
  /** `KEY=VALUE` of the environment they were born with */
  readonly mark: string;
};

/**
 * Finds the living processes that belong to one run of a service: those in the session or group that `leader` made, those
 * with its mark in the environment they were born with (a daemon leaves the session but keeps that), and their children.
 * Oldest first, without the agent itself.
 */
export function findKin({ leader, hasLeaderEnded, mark }: Family): readonly Process[] {
  const all = listProcesses();
  // Its number is not given away while its session or group has members, but after that a stranger may get it.
  const isReused = hasLeaderEnded && all.some(({ pid }) => pid === leader);
  const kin = new Set(
    all.filter(
      ({ pid, group, session }) =>
        (!isReused && (group === leader || session === leader)) || hasMark(pid, mark),
    ),
  );
  for (let size = -1; size !== kin.size; ) {
    size = kin.size;
    const pids = new Set(Array.from(kin, ({ pid }) => pid));
    for (const one of all) if (pids.has(one.parent)) kin.add(one);
  }
  return [...kin].sort((a, b) => a.startTime - b.startTime || a.pid - b.pid);
}

function listProcesses(): readonly Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== '1' && name !== String(process.pid))
    .map((name) => readProcess(Number(name)))
    .filter((one) => one !== undefined);
}

function readProcess(pid: number): Process | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the name before may hold spaces and brackets
    const [state = '', ...numbers] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (gone.has(state)) return undefined;
    const [parent = 0, group = 0, session = 0] = numbers.slice(0, 3).map(Number);
    return { pid, parent, group, session, startTime: Number(numbers[18]) };
  } catch {
    // it has just ended
    return undefined;
  }
}

/** The kernel bounds an environment to some megabytes, and the mark may be at its end. */
function hasMark(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(`${mark}\0`);
  } catch {
    // it has just ended, or is none of ours
    return false;
  }
}

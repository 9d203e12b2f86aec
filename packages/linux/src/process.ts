import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export type ProcessIdentity = {
  readonly pid: number;
  /** clock ticks since boot */
  readonly startTicks: number;
};

/** Identity of a living process, or undefined when there is none (a zombie counts as none). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // no such process, or it ended while we read
    return undefined;
  }
  // the command name in parentheses may itself hold spaces and parentheses
  const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[18]);
  if (state === 'Z' || state === 'X' || !Number.isFinite(startTicks)) return undefined;
  return { pid, startTicks };
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTicks === identity.startTicks;
}

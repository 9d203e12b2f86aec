import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandomText } from '@sprites/contract';

const prefix = '.unfinished-';

/** A fresh name for a file or directory that is being made; it carries who makes it. */
export function createUnfinishedName(): string {
  return `${prefix}${process.pid}-${readStartTicks(process.pid) ?? 0}-${createRandomText(8)}`;
}

/** Removes everything in the directory whose maker has died. */
export async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith(prefix) && !hasLivingMaker(name)) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}

function hasLivingMaker(name: string): boolean {
  const [pid, startTicks] = name.slice(prefix.length).split('-');
  return startTicks !== undefined && readStartTicks(Number(pid)) === Number(startTicks);
}

/** When the process began, which tells it from a later one with the same id; undefined when there is none. */
function readStartTicks(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // man 5 proc: field 22, counted behind the program's name, which may hold anything
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    // no such process
    return undefined;
  }
}

import { readFile, rename, writeFile } from 'node:fs/promises';
import type { InsideView } from '@sprites/core';
import { hasCode } from '@sprites/linux';
import type { MachineDir } from '../run-dir.ts';

/** What must be known to show saved disks in a machine, also by a later server process. */
export type ViewFacts = {
  /** host id of the machine's root */
  readonly firstId: number;
  readonly shown: readonly InsideView[];
};

/** Writes the facts so that a reader sees the old or the new ones. */
export async function writeViewFacts(machine: MachineDir, facts: ViewFacts): Promise<void> {
  const draft = `${machine.viewFacts}.new`;
  await writeFile(draft, JSON.stringify(facts), { mode: 0o600 });
  await rename(draft, machine.viewFacts);
}

/** The facts; undefined for a machine that is not there, or was started without. */
export async function readViewFacts(machine: MachineDir): Promise<ViewFacts | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(machine.viewFacts, 'utf8'));
    return isViewFacts(value) ? value : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** We wrote the file ourselves; this only tells a whole one from one of another version. */
function isViewFacts(value: unknown): value is ViewFacts {
  return typeof value === 'object' && value !== null && 'firstId' in value && 'shown' in value;
}

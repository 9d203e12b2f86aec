import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import type { Isolation } from '@sprites/core';
import { hasCode, isAlive, type ProcessIdentity } from '@sprites/linux';
import type { MachineDir, RunDir } from './run-dir.ts';

/** What a later server process must know of a running machine. */
export type MachineState = {
  readonly spriteId: string;
  readonly incarnation: number;
  readonly imageDigest: string;
  readonly isolation: Isolation;
  /** absolute path, to see when the kernel has let go of it */
  readonly diskFile: string;
  /** the machine's first process; absent while the machine is being put together */
  readonly init?: ProcessIdentity;
  /** true while it is a machine of the pool, which nobody may take for a sprite's */
  readonly unnamed?: true;
  /** boot of the host, for run directories that outlive one */
  readonly bootId: string;
};

/** Id of the host's present boot. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Writes the state so that a reader sees the old or the new one. */
export async function writeState(machine: MachineDir, state: MachineState): Promise<void> {
  const draft = `${machine.state}.new`;
  await writeFile(draft, JSON.stringify(state), { mode: 0o600 });
  await rename(draft, machine.state);
}

/** The state, or undefined when there is no machine or it never got as far as writing one. */
export async function readState(machine: MachineDir): Promise<MachineState | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(machine.state, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isState(value) ? value : undefined;
}

/** The state of a machine that runs. */
export async function findRunning(machine: MachineDir): Promise<MachineState | undefined> {
  const state = await readState(machine);
  return state !== undefined && (await isRunning(state)) ? state : undefined;
}

/** All machines of the run directory that run. */
export async function listRunning(runDir: RunDir): Promise<readonly MachineState[]> {
  const ids = await readdir(runDir.machines);
  const found = await Promise.all(ids.map((id) => findRunning(runDir.machine(id))));
  return found.filter((state) => state !== undefined);
}

/** True while the machine of this state runs. */
export async function isRunning(state: MachineState): Promise<boolean> {
  return state.init !== undefined && isAlive(state.init) && state.bootId === (await readBootId());
}

/** We wrote the file ourselves; this only tells a whole one from one of another version. */
function isState(value: unknown): value is MachineState {
  return (
    typeof value === 'object' &&
    value !== null &&
    'spriteId' in value &&
    'incarnation' in value &&
    'diskFile' in value &&
    'imageDigest' in value &&
    'isolation' in value &&
    'bootId' in value
  );
}

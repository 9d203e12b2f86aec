import { mkdir, rename, writeFile } from 'node:fs/promises';
import { hasCode } from '@sprites/linux';
import type { MachineDir } from './run-dir.ts';

/** Where the machine sees the directory of its network policy. */
export const policyMount = '/.sprite/policy';

/** Makes the directory that the machine sees read-only. */
export async function makePolicyDir(machine: MachineDir): Promise<void> {
  await mkdir(machine.policyDir, { mode: 0o755 });
}

/** Puts the text in place of what the machine saw, in one step; nothing happens without a machine. */
export async function writePolicy(machine: MachineDir, text: string): Promise<void> {
  try {
    await writeFile(machine.newPolicy, text, { mode: 0o444 });
    await rename(machine.newPolicy, machine.policy);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

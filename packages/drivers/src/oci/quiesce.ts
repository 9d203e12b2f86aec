import { listMounts, withFrozenFileSystem } from '@sprites/linux';
import type { MachineDir } from './run-dir.ts';

/**
 * Runs `work` while the machine's disk stands still; just runs it when the disk is not mounted. The disk of a machine
 * that has died is mounted until its release, with its newest data in memory only.
 */
export async function quiesceDisk<T>(machine: MachineDir, work: () => Promise<T>): Promise<T> {
  const isMounted = (await listMounts()).some((entry) => entry.target === machine.disk);
  return isMounted ? withFrozenFileSystem(machine.disk, work) : work();
}

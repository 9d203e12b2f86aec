import { readdir } from 'node:fs/promises';
import { type CgroupLayout, hasCode } from '@sprites/linux';
import type { RunDir } from './run-dir.ts';

/** Ids of everything a machine of this run directory may have left somewhere. */
export async function listTraces(runDir: RunDir, layout: CgroupLayout): Promise<readonly string[]> {
  const dirs = [runDir.machines, runDir.disks, runDir.runtime];
  const cgroups = layout.all.map((root) => `${root}${runDir.cgroup}`);
  const names = await Promise.all([
    ...dirs.map((dir) => readdir(dir)),
    ...cgroups.map((dir) => listDirectories(dir)),
  ]);
  return [...new Set(names.flat())];
}

async function listDirectories(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CgroupLayout } from './cgroup.ts';
import { hasCode } from './syscall.ts';

/**
 * Limits the memory of everything in a cgroup, at once. False when it uses more than that and the kernel finds nothing to
 * take back: then the limit stays as it was, and nothing is killed. True also when there is no such cgroup.
 */
export async function limitMemory(layout: CgroupLayout, path: string, bytes: number): Promise<boolean> {
  for (const root of layout.all) {
    const dir = join(root, path);
    if (!(await makeRoom(dir, bytes))) return false;
    if (!(await write(join(dir, 'memory.max'), bytes))) return false;
    if (!(await write(join(dir, 'memory.limit_in_bytes'), bytes))) return false;
  }
  return true;
}

/** In version 2 a limit below what is in use kills, so what can be taken back is taken back before. */
async function makeRoom(dir: string, bytes: number): Promise<boolean> {
  const over = (await readCurrent(dir)) - bytes;
  if (over <= 0) return true;
  // fails when it could take back only a part
  await writeFile(join(dir, 'memory.reclaim'), String(over), { flag: 'r+' }).catch(() => undefined);
  return (await readCurrent(dir)) <= bytes;
}

async function readCurrent(dir: string): Promise<number> {
  try {
    return Number(await readFile(join(dir, 'memory.current'), 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return 0;
    throw error;
  }
}

async function write(file: string, bytes: number): Promise<boolean> {
  try {
    await writeFile(file, String(bytes), { flag: 'r+' });
  } catch (error) {
    if (hasCode(error, 'EBUSY')) return false;
    if (!hasCode(error, 'ENOENT', 'ENODEV')) throw error;
  }
  return true;
}

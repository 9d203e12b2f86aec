import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CgroupLayout } from '@sprites/linux';

/**
 * Numbers of the processors that this process may give to machines; none when the host cannot bind machines to some of
 * them, as the cpuset controller is missing.
 */
export async function readProcessors({ unified }: CgroupLayout): Promise<readonly number[]> {
  const text = await readFile('/proc/cgroups', 'utf8');
  const [hierarchy] = /^cpuset\s+(\d+)/m.exec(text)?.slice(1) ?? [];
  if (hierarchy === undefined) return [];
  if (hierarchy === '0') {
    const controllers = await readFile(join(unified, 'cgroup.controllers'), 'utf8');
    if (!controllers.split(/\s+/).includes('cpuset')) return [];
  }
  const status = await readFile('/proc/self/status', 'utf8');
  return parseList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '');
}

/**
 * The processors of a machine, in the kernel's notation: as many as it may use in whole, others for the next slot, so that
 * programs in it count what they have. Undefined when it may use as many as there are.
 */
export function chooseProcessors(
  { cpus, slot }: { readonly cpus: number; readonly slot: number },
  available: readonly number[],
): string | undefined {
  const count = Math.ceil(cpus);
  if (count >= available.length) return undefined;
  const first = slot * count;
  const chosen = Array.from({ length: count }, (_, index) => available[(first + index) % available.length]);
  return chosen.join(',');
}

/** `0-3,8` as numbers. */
function parseList(list: string): readonly number[] {
  return list.split(',').flatMap((part) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (from === undefined) return [];
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => Number(from) + index);
  });
}

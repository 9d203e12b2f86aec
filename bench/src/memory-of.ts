import { readdir, readFile } from 'node:fs/promises';

/** Resident memory of a process in MB. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** The share of memory that a set of processes has (pages used by k processes count 1/k), in MB. */
export async function proportionalMb(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
      return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
    }),
  );
  return sizes.reduce((sum, kb) => sum + kb, 0) / 1024;
}

/** Host process ids of everything that runs in the sprite with this id. */
export async function pidsOfSprite(spriteId: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const belongs = await Promise.all(
    pids.map(async (pid) => {
      const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      return cgroups.includes(spriteId);
    }),
  );
  return pids.filter((_, index) => belongs[index]).map(Number);
}

/** Samples the largest value of `read` until disposed. */
export class PeakWatch implements Disposable {
  #peak = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(read: () => Promise<number>) {
    const sample = async (): Promise<void> => {
      // A process that has just ended has no size.
      const value = await read().catch(() => 0);
      this.#peak = Math.max(this.#peak, value);
    };
    this.#timer = setInterval(() => void sample(), 50);
  }

  get peak(): number {
    return this.#peak;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

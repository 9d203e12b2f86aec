import { PeakWatch, residentMb } from './memory-of.ts';
import type { Row } from './samples.ts';

/** what a process may grow by while data passes, in `MB` */
const mostGrownMb = 64;

/** Watches how much larger processes become than they were; dispose it when enough is seen. */
export class MemoryGrowth implements Disposable {
  readonly #of: string;
  readonly #beforeMb: number;
  readonly #watch: PeakWatch;

  private constructor(of: string, beforeMb: number, read: () => Promise<number>) {
    this.#of = of;
    this.#beforeMb = beforeMb;
    this.#watch = new PeakWatch(read);
  }

  /** Begins to watch the largest of these processes; without `beforeMb` it is compared with what it is now. */
  static async watch(of: string, pids: readonly number[], beforeMb?: number): Promise<MemoryGrowth> {
    const read = async (): Promise<number> => Math.max(...(await Promise.all(pids.map(sizeOf))));
    return new MemoryGrowth(of, beforeMb ?? (await read()), read);
  }

  /** The largest it was until now, in MB. */
  get peakMb(): number {
    return this.#watch.peak;
  }

  /** The line for what has happened until now. Throws when there was nothing to watch. */
  toRow(meanwhile: string): Row {
    if (this.peakMb === 0) throw new Error(`the ${this.#of} was not there during ${meanwhile}`);
    const grownMb = Math.max(0, this.peakMb - this.#beforeMb);
    const before = this.#beforeMb.toFixed(0);
    return {
      what: `growth of the ${this.#of} (${before} MB) during ${meanwhile}`,
      n: 1,
      p50: grownMb,
      unit: 'MB',
      promise: `< ${mostGrownMb} MB`,
      kept: grownMb < mostGrownMb,
    };
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** What has ended meanwhile counts for nothing; the kernel tells no size of it. */
async function sizeOf(pid: number): Promise<number> {
  return (await residentMb(pid).catch(() => 0)) || 0;
}

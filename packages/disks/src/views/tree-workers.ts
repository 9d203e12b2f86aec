import { setTimeout as sleep } from 'node:timers/promises';
import { TreeWorker } from './tree-worker.ts';

/** Longest time a thread with nothing to do is kept, in `ms`. */
const idleMs = 30_000;

type Idle = { readonly worker: TreeWorker; readonly taken: AbortController };

/** A thread for each task; the last that did its task to the end waits for another, as a new one takes a tenth of a second. */
export class TreeWorkers {
  #idle: Idle | undefined;

  /** A thread for one task; it is kept or ended when it is disposed of. */
  open(): AsyncDisposable & Pick<TreeWorker, 'run'> {
    const worker = this.#takeIdle() ?? new TreeWorker();
    return {
      run: (task, signal) => worker.run(task, signal),
      [Symbol.asyncDispose]: () => this.#giveBack(worker),
    };
  }

  #takeIdle(): TreeWorker | undefined {
    const idle = this.#idle;
    if (idle === undefined) return undefined;
    this.#idle = undefined;
    idle.taken.abort();
    if (!idle.worker.isFree) return undefined;
    idle.worker.isNeeded = true;
    return idle.worker;
  }

  async #giveBack(worker: TreeWorker): Promise<void> {
    if (!worker.isFree || this.#idle !== undefined) return worker[Symbol.asyncDispose]();
    worker.isNeeded = false;
    this.#idle = { worker, taken: new AbortController() };
    void this.#endWhenIdle(this.#idle);
  }

  async #endWhenIdle({ worker, taken }: Idle): Promise<void> {
    const isOver = await sleep(idleMs, true, { signal: taken.signal, ref: false }).catch(() => false);
    if (!isOver) return;
    if (this.#idle?.worker === worker) this.#idle = undefined;
    await worker[Symbol.asyncDispose]();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createBusy, setBusy } from './give-way.ts';
import type { Job, Made, Verified } from './jobs.ts';
import type { Measured, MeasureJob } from './measure.ts';
import type { Answer } from './thread.ts';

/** Longest time a thread with nothing to do is kept, in `ms`. */
const idleMs = 10_000;
/** How often the thread is told whether somebody waits, in `ms`. */
const busyEveryMs = 10;
const heapMb = 512;

type AnyJob = Job | MeasureJob;
type Result<J extends AnyJob> = J extends { readonly type: 'make' }
  ? Made
  : J extends { readonly type: 'measure' }
    ? Measured
    : Verified;
type Waiting = PromiseWithResolvers<Made | Verified | Measured>;

/**
 * Reads, hashes and measures files on a thread of the lowest priority, one file at a time in the order of the calls, so that the
 * server goes on answering. The thread is there only while there is work. `close` ends the work.
 */
export class ChecksumThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;
  #isClosed = false;
  #idle: AbortController | undefined;
  #telling: NodeJS.Timeout | undefined;
  readonly #busy = createBusy();
  #isBusy: () => boolean = () => false;

  /** Sets what tells whether somebody waits for more urgent work: then reading pauses, but it never stands still. */
  giveWay(isBusy: () => boolean): void {
    this.#isBusy = isBusy;
  }

  /** Does one job. Rejects with the error of a file that is not there, or when the thread is closed. */
  async run<const J extends AnyJob>(job: J): Promise<Result<J>> {
    if (this.#isClosed) throw new Error('the thread for checksums is closed');
    this.#idle?.abort();
    this.#worker ??= this.#open();
    const id = ++this.#lastId;
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.set(id, waiting);
    this.#telling ??= setInterval(() => setBusy(this.#busy, this.#isBusy()), busyEveryMs).unref();
    this.#worker.postMessage({ id, job });
    try {
      // a thread answers each job with its own kind of result
      return (await waiting.promise) as Result<J>;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) {
        clearInterval(this.#telling);
        this.#telling = undefined;
        void this.#endWhenIdle();
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idle?.abort();
    await this.#worker?.terminate();
  }

  #open(): Worker {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      name: 'checksums',
      workerData: this.#busy,
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    worker.unref();
    worker.on('message', (answer: Answer) => this.#settle(answer));
    const onEnd = (error: unknown): void => {
      // one that was idle may end after the next has begun
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
    };
    worker.on('error', onEnd);
    worker.on('exit', () => onEnd(new Error('the thread for checksums has ended')));
    return worker;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (answer.type === 'done') waiting?.resolve(answer.result);
    else waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
  }

  async #endWhenIdle(): Promise<void> {
    const idle = new AbortController();
    this.#idle = idle;
    const isOver = await sleep(idleMs, true, { signal: idle.signal, ref: false }).catch(() => false);
    if (!isOver || this.#waiting.size > 0) return;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

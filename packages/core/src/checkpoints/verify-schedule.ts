import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { CheckpointRecord, SpriteRecord, Store } from '../ports/store.ts';
import type { Verifier } from './verifier.ts';

/** When all checkpoints are compared with their checksums: at a time of the day of this computer, or in intervals. */
export type VerifyPlan =
  | { readonly type: 'off' }
  | { readonly type: 'daily'; readonly minuteOfDay: number }
  | { readonly type: 'every'; readonly ms: number };

export type VerifyScheduleDeps = {
  readonly store: Store;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly log: Log;
  readonly plan: VerifyPlan;
};

/** Compares all checkpoints of all sprites from time to time. `close` ends it. */
export class VerifySchedule {
  readonly #deps: VerifyScheduleDeps;
  readonly #end = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(deps: VerifyScheduleDeps) {
    this.#deps = deps;
  }

  /** Begins to wait for the first time. */
  open(): void {
    this.#loop ??= this.#run();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#loop;
  }

  /** Compares everything once; answers how many are damaged. */
  async verifyAll(): Promise<number> {
    const { store, verifier, log } = this.#deps;
    const counts = { good: 0, damaged: 0, failed: 0 };
    for (const sprite of await store.listAllSprites()) {
      const pass = verifier.beginPass();
      for (const checkpoint of await store.listCheckpoints(sprite.id)) {
        if (this.#end.signal.aborted) return counts.damaged;
        counts[await this.#verify(sprite, checkpoint, pass)]++;
      }
    }
    if (counts.damaged + counts.failed === 0)
      log.info(counts, 'all checkpoints were compared with their checksums');
    else log.error(counts, 'checkpoints are damaged; see sprite checkpoint list');
    return counts.damaged;
  }

  async #verify(
    { name }: SpriteRecord,
    checkpoint: CheckpointRecord,
    pass: string,
  ): Promise<'good' | 'damaged' | 'failed'> {
    try {
      return (await this.#deps.verifier.verify(checkpoint, pass)) === '' ? 'good' : 'damaged';
    } catch (error) {
      const facts = { err: error, sprite: name, checkpoint: checkpoint.id };
      if (!this.#end.signal.aborted) this.#deps.log.error(facts, 'a checkpoint could not be compared');
      return 'failed';
    }
  }

  async #run(): Promise<void> {
    const { clock, log, plan } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted && plan.type !== 'off') {
      await clock.sleep(untilNext(plan, clock.now()), signal).catch(() => {
        // closed meanwhile
      });
      if (signal.aborted) return;
      await this.verifyAll().catch((error: unknown) =>
        log.error({ err: error }, 'the checkpoints could not be compared'),
      );
    }
  }
}

/** Milliseconds until the plan's next time. */
export function untilNext(plan: Exclude<VerifyPlan, { readonly type: 'off' }>, nowMs: number): number {
  if (plan.type === 'every') return plan.ms;
  const next = new Date(nowMs);
  next.setHours(0, plan.minuteOfDay, 0, 0);
  if (next.getTime() <= nowMs) next.setDate(next.getDate() + 1);
  return next.getTime() - nowMs;
}

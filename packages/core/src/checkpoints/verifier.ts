import { SpriteError } from '@sprites/contract';
import type { Events } from '../events/events.ts';
import type { Checksums } from '../ports/checksums.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { CheckpointRecord, Store } from '../ports/store.ts';
import { noteHealth } from './health.ts';

export type VerifierDeps = {
  readonly store: Store;
  readonly checksums: Checksums;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
};

/** Who is told of each checkpoint that was compared or got its checksum; it must not throw and must not wait. */
export type VerifierObserver = (outcome: {
  readonly type: 'made' | 'verified';
  readonly health: string;
  readonly readBytes: number;
}) => void;

/** Pause after a checkpoint before its checksum is begun, in `ms`: often more checkpoints follow, or a restore. */
const settleMs = 2000;
/** Most checkpoints looked up at once. */
const batchSize = 50;

/**
 * Makes the checksums of checkpoints behind their making, one at a time, and compares checkpoints with them. What it did
 * not get to is found again at the next start. `close` ends it.
 */
export class Verifier {
  readonly #deps: VerifierDeps;
  readonly #end = new AbortController();
  /** those whose checksum could not be made; they are tried again at the next start or when verified */
  readonly #failed = new Set<string>();
  #making: Promise<void> | undefined;
  #isMore = false;
  #lastPass = 0;
  #observer: VerifierObserver = () => {};

  constructor(deps: VerifierDeps) {
    this.#deps = deps;
  }

  /** Sets who is told of what was done. */
  observe(observer: VerifierObserver): void {
    this.#observer = observer;
  }

  /** Says that there are checkpoints without a checksum; they get it soon. */
  noteNew(): void {
    if (this.#end.signal.aborted) return;
    this.#isMore = true;
    this.#making ??= this.#makeAll().finally(() => {
      this.#making = undefined;
    });
  }

  /** A name under which `verify` reads what several checkpoints share only once. */
  beginPass(): string {
    return String(++this.#lastPass);
  }

  /**
   * Compares a checkpoint with its checksum, or makes that when there is none yet, and notes the outcome. Answers what is
   * wrong, in words; empty when nothing is.
   */
  async verify(checkpoint: CheckpointRecord, pass: string): Promise<string> {
    const { spriteId, id, checksum } = checkpoint;
    if (checksum === undefined) return this.#make(checkpoint);
    const found = await this.#deps.checksums.verify(spriteId, { id, root: checksum }, pass);
    const { health, readBytes } = found;
    const verifiedAt = new Date(this.#deps.clock.now()).toISOString();
    await noteHealth(this.#deps, checkpoint, { health, verifiedAt });
    this.#observer({ type: 'verified', health, readBytes });
    return health;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#making;
  }

  async #makeAll(): Promise<void> {
    const { clock, log, store } = this.#deps;
    const { signal } = this.#end;
    while (this.#isMore && !signal.aborted) {
      this.#isMore = false;
      await clock.sleep(settleMs, signal).catch(() => {
        // closed meanwhile
      });
      const without = await store.listCheckpointsWithoutChecksum(batchSize + this.#failed.size);
      for (const checkpoint of without.filter((one) => !this.#failed.has(keyOf(one)))) {
        if (signal.aborted) return;
        this.#isMore = true;
        await this.#make(checkpoint).catch((error: unknown) => {
          this.#failed.add(keyOf(checkpoint));
          if (!signal.aborted)
            log.warn({ err: error, checkpoint: checkpoint.id }, 'a checkpoint got no checksum');
        });
      }
    }
  }

  async #make(checkpoint: CheckpointRecord): Promise<string> {
    const { spriteId, id } = checkpoint;
    const { store, checksums, clock } = this.#deps;
    const others = await store.listCheckpoints(spriteId);
    const like = others.flatMap(({ id: other, checksum, health }) =>
      checksum === undefined || health !== '' || other === id ? [] : [{ id: other, root: checksum }],
    );
    const verifiedAt = new Date(clock.now()).toISOString();
    try {
      // the newest share most
      const { root, sizeBytes, readBytes } = await checksums.make(spriteId, id, like.slice(-2));
      await store.updateCheckpoint(spriteId, id, { checksum: root, sizeBytes, verifiedAt });
      this.#observer({ type: 'made', health: checkpoint.health, readBytes });
      return checkpoint.health;
    } catch (error) {
      if (!(error instanceof SpriteError && error.code === 'checkpoint_not_found')) throw error;
      const health = 'its disk is missing';
      await noteHealth(this.#deps, checkpoint, { health });
      this.#observer({ type: 'made', health, readBytes: 0 });
      return health;
    }
  }
}

function keyOf({ spriteId, id }: CheckpointRecord): string {
  return `${spriteId}/${id}`;
}

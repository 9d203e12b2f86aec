import { releaseMemory } from '../kernel/memory.ts';

/** How long no session must have run, so that the pause hits nobody who starts one after the other. */
const quietMs = 3000;
const betweenMs = 20_000;

/** Gives memory back some time after the last session has ended: a sprite that does nothing should cost little. */
export class IdleRelease {
  readonly #isIdle: () => boolean;
  #lastMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle;
  }

  /** Call it whenever a session has ended. */
  sessionEnded(): void {
    clearTimeout(this.#timer);
    const waitMs = Math.max(quietMs, this.#lastMs + betweenMs - performance.now());
    this.#timer = setTimeout(() => this.#release(), waitMs);
  }

  #release(): void {
    if (!this.#isIdle()) return;
    releaseMemory();
    this.#lastMs = performance.now();
  }
}

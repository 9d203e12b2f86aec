import type { Clock } from '../ports/clock.ts';

const windowMs = 60_000;
const maxCrashes = 3;

/** Decides whether a machine that ended by itself is started again at once: at most three times a minute. */
export class CrashLimit {
  readonly #clock: Clock;
  readonly #crashes = new Map<string, readonly number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a crash of the sprite and says whether it may be restarted now. */
  allows(spriteId: string): boolean {
    const now = this.#clock.now();
    const recent = (this.#crashes.get(spriteId) ?? []).filter((at) => now - at < windowMs);
    this.#crashes.set(spriteId, [...recent, now].slice(-maxCrashes));
    return recent.length < maxCrashes;
  }
}

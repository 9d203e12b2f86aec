/** Lets through so many questions a second, and twice as many at once after a pause. */
export class QueryRate {
  readonly #perSecond: number;
  #left: number;
  #filledAt: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond * 2;
    this.#filledAt = nowMs;
  }

  /** Whether one more may pass now. */
  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#filledAt) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond * 2, this.#left + gained);
    this.#filledAt = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

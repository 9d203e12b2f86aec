const firstMs = 1000;
const longestMs = 60_000;
const settledMs = 60_000;

/** How long to wait before a service that ended by itself is started again: 1 s, 2 s, … up to a minute. */
export class BackOff {
  #failures = 0;

  /** Takes the news that the service ran for `ranMs`, and answers how long to wait now. A minute's run forgives everything. */
  nextMs(ranMs: number): number {
    if (ranMs >= settledMs) this.#failures = 0;
    return Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures++, 10));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** Lets work on one key happen one after the other, in the order of arrival. */
export class Turns {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** True while work on `key` is under way or waits. */
  isBusy(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Runs `work` when everything queued before it for `key` has ended, however it ended. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#tails.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(key) === turn) this.#tails.delete(key);
    }
  }
}

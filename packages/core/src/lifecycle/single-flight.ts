/** Lets concurrent callers of one key share one run. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** True while a run is under way, for any key. */
  get isFlying(): boolean {
    return this.#flights.size > 0;
  }

  /** Resolves when no run is under way. */
  async landed(): Promise<void> {
    while (this.isFlying) await Promise.allSettled(this.#flights.values());
  }

  /** Joins the run under way for `key`, or starts one. */
  join(key: string, run: () => Promise<T>): Promise<T> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying;
    const flight = run().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}

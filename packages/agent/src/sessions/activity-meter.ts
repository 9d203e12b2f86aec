const windowMs = 10_000;

/** Tells when bytes last flowed and, as an average that fades over about ten seconds, how fast. */
export class ActivityMeter {
  #lastMs = Date.now();
  #rate = 0;

  /** when bytes last flowed, or the meter was made */
  get lastMs(): number {
    return this.#lastMs;
  }

  count(byteCount: number): void {
    this.#rate = this.#fade() + (byteCount * 1000) / windowMs;
    this.#lastMs = Date.now();
  }

  bytesPerSecond(): number {
    return Math.round(this.#fade() * 10) / 10;
  }

  #fade(): number {
    return this.#rate * Math.exp((this.#lastMs - Date.now()) / windowMs);
  }
}

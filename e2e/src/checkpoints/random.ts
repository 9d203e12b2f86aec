/** Numbers that follow from a seed, so that what failed can be done again: `SPRITES_E2E_SEED`. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor() {
    const given = process.env.SPRITES_E2E_SEED;
    this.seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
    this.#state = this.seed;
  }

  /** A number from 0 up to 1. */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** One of these. */
  pick<T>(list: readonly T[]): T {
    const found = list[Math.floor(this.next() * list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }
}

const gib = 1024 ** 3;

/** Bytes that are left in a pool when something begins, from the most to the least. */
export type Levels = {
  /** no new disks and checkpoints */
  readonly reserve: number;
  /** beyond this much above `floor` nobody need be limited; not beyond `reserve`, so who is refused space gets no more sprites */
  readonly window: number;
  /** programs can write nothing new; what is left is for data that was accepted already, and for metadata */
  readonly floor: number;
  /** frozen disks go on */
  readonly resume: number;
  /** who overwrites shared blocks fastest is frozen */
  readonly pause: number;
  /** all disks are frozen */
  readonly stop: number;
};

/** The levels of a pool that keeps `reserve` bytes. */
export function levelsOf(reserve: number): Levels {
  return {
    reserve,
    window: Math.min(reserve / 2, gib),
    floor: reserve / 2,
    resume: (reserve * 7) / 16,
    pause: (reserve * 3) / 8,
    stop: reserve / 4,
  };
}

/** The larger of 1 GiB and a twentieth of the pool, but no more than an eighth. */
export function defaultReserveBytes(totalBytes: number): number {
  return Math.floor(Math.min(Math.max(gib, totalBytes / 20), totalBytes / 8));
}

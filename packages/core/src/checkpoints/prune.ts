import type { CheckpointRecord } from '../ports/store.ts';

/** How many checkpoints that were made by interval stay. */
export type Keep = { readonly hourly: number; readonly daily: number };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** How long automatic checkpoints stay that were made before a restore or an upgrade. */
const undoMs = 7 * dayMs;

/**
 * Ids of the automatic checkpoints that have had their time. Of those made by interval all of the last hour stay, then the
 * newest of each hour, of as many hours as have any, and of each day; the newest always. Those made before a restore or an
 * upgrade, and damaged ones, stay for a week.
 */
export function findOutdated(
  checkpoints: readonly CheckpointRecord[],
  keep: Keep,
  nowMs: number,
): readonly string[] {
  const ageOf = ({ createdAt }: CheckpointRecord): number => nowMs - Date.parse(createdAt);
  const automatic = checkpoints.filter(({ isAuto }) => isAuto);
  const isRegular = ({ cause, health }: CheckpointRecord): boolean => cause === 'interval' && health === '';
  const regular = automatic.filter(isRegular).toReversed();
  const kept = new Set([
    ...regular.slice(0, 1),
    ...regular.filter((one) => ageOf(one) < hourMs),
    ...newestOfEach(regular, hourMs, keep.hourly),
    ...newestOfEach(regular, dayMs, keep.daily),
  ]);
  const outdated = automatic.filter((one) => (isRegular(one) ? !kept.has(one) : ageOf(one) >= undoMs));
  return outdated.map(({ id }) => id);
}

/** The newest of each of the newest `count` periods that have any; `newestFirst` is in that order. */
function newestOfEach(
  newestFirst: readonly CheckpointRecord[],
  periodMs: number,
  count: number,
): readonly CheckpointRecord[] {
  const found = new Map<number, CheckpointRecord>();
  for (const checkpoint of newestFirst) {
    const period = Math.floor(Date.parse(checkpoint.createdAt) / periodMs);
    if (!found.has(period)) found.set(period, checkpoint);
  }
  return [...found.values()].slice(0, count);
}

import { describe, expect, it } from 'vitest';
import type { CheckpointRecord } from '../ports/store.ts';
import { findOutdated } from './prune.ts';

const hourMs = 3_600_000;
const now = Date.parse('2026-06-15T12:30:00.000Z');

function made(agoMs: number, more: Partial<CheckpointRecord> = {}): CheckpointRecord {
  return {
    spriteId: 'sprite_1',
    id: `auto-${agoMs}`,
    comment: undefined,
    createdAt: new Date(now - agoMs).toISOString(),
    sourceId: undefined,
    isAuto: true,
    cause: 'interval',
    health: '',
    sequence: 1,
    ...more,
  };
}

/** One every ten minutes for twenty days, oldest first. */
const many = Array.from({ length: 20 * 24 * 6 }, (_, index) => made(index * 600_000)).reverse();

function kept(all: readonly CheckpointRecord[], keep = { hourly: 24, daily: 7 }): readonly number[] {
  const outdated = new Set(findOutdated(all, keep, now));
  return all.filter(({ id }) => !outdated.has(id)).map(({ createdAt }) => now - Date.parse(createdAt));
}

describe('findOutdated', () => {
  it('keeps the last hour, the newest of 24 hours and of 7 days', () => {
    const ages = kept(many);
    expect(ages.filter((age) => age < hourMs)).toHaveLength(6);
    expect(ages.filter((age) => age < 24 * hourMs)).toHaveLength(6 + 23 - 1);
    expect(Math.max(...ages)).toBe(6 * 24 * hourMs - 11 * hourMs - 20 * 60_000);
    // the hours reach into the day before
    expect(ages).toHaveLength(6 + 22 + 5);
  });

  it('does not change its mind: what stays would stay alone', () => {
    const outdated = new Set(findOutdated(many, { hourly: 24, daily: 7 }, now));
    const rest = many.filter(({ id }) => !outdated.has(id));
    expect(findOutdated(rest, { hourly: 24, daily: 7 }, now)).toEqual([]);
  });

  it('keeps the newest whatever its age, and hours that lie apart', () => {
    expect(kept([made(900 * 24 * hourMs)], { hourly: 0, daily: 0 })).toHaveLength(1);
    const apart = [made(900 * hourMs), made(500 * hourMs), made(2 * hourMs)];
    expect(kept(apart, { hourly: 2, daily: 0 })).toEqual([500 * hourMs, 2 * hourMs]);
  });

  it('keeps those made before a restore or an upgrade, and damaged ones, for a week', () => {
    for (const more of [
      { cause: 'restore' },
      { cause: 'upgrade' },
      { cause: undefined },
      { health: 'bad' },
    ] as const) {
      const all = [made(8 * 24 * hourMs, more), made(6 * 24 * hourMs, more), made(0)];
      expect(kept(all, { hourly: 1, daily: 1 })).toEqual([6 * 24 * hourMs, 0]);
    }
  });

  it('never touches what a user made', () => {
    const mine = { isAuto: false, cause: undefined };
    expect(findOutdated([made(99_999 * hourMs, mine), made(0, mine)], { hourly: 0, daily: 0 }, now)).toEqual(
      [],
    );
  });
});

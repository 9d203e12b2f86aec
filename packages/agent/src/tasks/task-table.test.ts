import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TaskTable } from './task-table.ts';

describe('tasks', () => {
  let changes: number;
  let tasks: TaskTable;
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
    changes = 0;
    tasks = new TaskTable(() => {
      changes++;
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('hold the sprite until they expire', () => {
    tasks.create('build', 60_000);
    expect(tasks.holds()).toEqual([
      {
        kind: 'task',
        id: 'build',
        label: 'build',
        since: '2026-01-01T00:00:00.000Z',
        until: '2026-01-01T00:01:00.000Z',
      },
    ]);
    vi.advanceTimersByTime(59_999);
    expect(tasks.holds()).toHaveLength(1);
    const before = changes;
    vi.advanceTimersByTime(1);
    expect([tasks.holds(), tasks.list(), changes]).toEqual([[], [], before + 1]);
    expect(() => tasks.get('build')).toThrow('task not found');
  });

  it('keep their start when they are refreshed, and do not end with the old expiry', () => {
    const first = tasks.put('build', 60_000);
    vi.advanceTimersByTime(50_000);
    const second = tasks.put('build', 60_000);
    expect(second).toEqual({ ...first, expires_at: '2026-01-01T00:01:50.000Z' });
    vi.advanceTimersByTime(50_000);
    expect(tasks.list()).toEqual([second]);
  });

  it('can be made again once they have expired, but not before', () => {
    tasks.create('build', 1000);
    expect(() => tasks.create('build', 1000)).toThrow('already exists');
    vi.advanceTimersByTime(1000);
    expect(tasks.create('build', 1000).started_at).toBe('2026-01-01T00:00:01.000Z');
  });

  it('end early, once', () => {
    tasks.create('build', 60_000);
    tasks.remove('build');
    expect(() => tasks.remove('build')).toThrow('task not found');
    tasks.create('build', 60_000);
    vi.advanceTimersByTime(59_000);
    expect(tasks.list()).toHaveLength(1);
  });

  it('are limited in number', () => {
    for (let i = 0; i < 1000; i++) tasks.put(`t${i}`, 1000);
    expect(() => tasks.put('more', 1000)).toThrow('at most 1000 tasks');
    expect(tasks.put('t1', 1000).name).toBe('t1');
  });

  it('do not depend on the wall clock', () => {
    tasks.create('build', 60_000);
    vi.setSystemTime(Date.UTC(2027, 0, 1));
    expect(tasks.list()).toHaveLength(1);
  });
});

import type { Clock, GrowthLimits, Log, MountedDisk, MountedDisks } from '@sprites/core';
import { describe, expect, it } from 'vitest';
import { defaultReserveBytes, levelsOf } from './levels.ts';
import { PoolGuard } from './pool-guard.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

/** Disks that are numbers only; `write` moves bytes as the kernel would. */
class MemoryMountedDisks implements MountedDisks {
  readonly disks = new Map<string, MountedDisk>();
  readonly frozen = new Set<string>();
  readonly busy = new Set<string>();
  readonly unwritten = new Map<string, number | undefined>();

  add(spriteId: string): void {
    const freeBytes = 100 * gib;
    const untouched = { pendingBytes: 0, writtenBytes: 0, errorCount: 0 };
    this.disks.set(spriteId, { spriteId, freeBytes, growBytes: freeBytes, ...untouched });
  }

  change(spriteId: string, change: Partial<MountedDisk>): void {
    const disk = this.disks.get(spriteId);
    if (disk !== undefined) this.disks.set(spriteId, { ...disk, ...change });
  }

  grow(spriteId: string): number {
    return this.disks.get(spriteId)?.growBytes ?? 0;
  }

  list(): readonly MountedDisk[] {
    return [...this.disks.values()];
  }

  limit({ spriteId }: MountedDisk, { growBytes, unwrittenBytes }: GrowthLimits): void {
    this.change(spriteId, { growBytes });
    this.unwritten.set(spriteId, unwrittenBytes);
  }

  unlimit(spriteId: string): void {
    this.change(spriteId, { growBytes: this.disks.get(spriteId)?.freeBytes ?? 0 });
    this.unwritten.delete(spriteId);
  }

  async freeze(spriteId: string): Promise<boolean> {
    if (this.busy.has(spriteId)) return false;
    this.frozen.add(spriteId);
    return true;
  }

  async thaw(spriteId: string): Promise<void> {
    this.frozen.delete(spriteId);
  }
}

/** A guarded pool with a reserve of 1 GiB, so: floor 512 MiB, pause 384 MiB, stop 256 MiB. */
function fixture() {
  const mounted = new MemoryMountedDisks();
  const pool = { freeBytes: 50 * gib, reserveBytes: gib, dirtyBytes: 0 };
  const messages: string[] = [];
  const note = (_facts: object, message: string): void => void messages.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const clock: Clock = { now: () => 0, sleep: () => Promise.reject(new Error('no loop here')) };
  const largest = async (): Promise<readonly object[]> => [];
  const space = async () => pool;
  const guard = new PoolGuard({ mounted, space, dirtyBytes: () => pool.dirtyBytes, largest, clock, log });
  mounted.add('a');
  mounted.add('b');
  return { mounted, pool, guard, messages };
}

describe('PoolGuard', () => {
  it('limits nobody while there is space, and looks about once a second', async () => {
    const { guard, mounted } = fixture();
    expect(await guard.look()).toBe(1000);
    expect(mounted.grow('a')).toBe(100 * gib);
    expect(mounted.unwritten.size).toBe(0);
  });

  it('looks more often the less is left', async () => {
    const { guard, pool } = fixture();
    await guard.look();
    pool.freeBytes = 5 * gib;
    expect(await guard.look()).toBe(512);
    pool.freeBytes = gib + 400 * mib;
    expect(await guard.look()).toBe(50);
    pool.freeBytes = 10 * mib;
    expect(await guard.look()).toBe(250);
  });

  it('shares what is left above the floor, less what is on its way, and lets go when space returns', async () => {
    const { guard, pool, mounted, messages } = fixture();
    pool.freeBytes = 900 * mib;
    mounted.change('a', { pendingBytes: 100 * mib });
    await guard.look();
    expect([mounted.grow('a'), mounted.grow('b')]).toEqual([144 * mib, 144 * mib]);
    expect(messages.join('\n')).toMatch(/share what is left/);
    expect(messages.join('\n')).toMatch(/nearly full/);
    pool.freeBytes = 5 * gib;
    await guard.look();
    expect(mounted.grow('a')).toBe(100 * gib);
    expect(messages.at(-1)).toMatch(/freely/);
  });

  it('bounds what waits in memory before that could fill the pool, and limits no growth for it', async () => {
    const { guard, pool, mounted } = fixture();
    pool.freeBytes = 4 * gib;
    pool.dirtyBytes = 3.5 * gib;
    await guard.look();
    expect(mounted.grow('a')).toBe(100 * gib);
    expect(mounted.unwritten.get('a')).toBe(32 * mib);
    pool.dirtyBytes = 0;
    await guard.look();
    expect(mounted.unwritten.size).toBe(0);
  });

  it('freezes who writes most while space falls below what limits could keep, and thaws when it returns', async () => {
    const { guard, pool, mounted } = fixture();
    pool.freeBytes = 400 * mib;
    await guard.look();
    mounted.change('a', { writtenBytes: 100 * mib });
    mounted.change('b', { writtenBytes: mib });
    pool.freeBytes = 380 * mib;
    await guard.look();
    expect([...mounted.frozen]).toEqual(['a']);
    mounted.change('b', { writtenBytes: 2 * mib });
    await guard.look();
    expect([...mounted.frozen]).toEqual(['a']);
    pool.freeBytes = 460 * mib;
    await guard.look();
    await guard.close();
    expect([...mounted.frozen]).toEqual([]);
  });

  it('freezes all below the last level, those that were busy as soon as they are not', async () => {
    const { guard, pool, mounted } = fixture();
    mounted.busy.add('b');
    pool.freeBytes = 200 * mib;
    await guard.look();
    expect([...mounted.frozen]).toEqual(['a']);
    mounted.busy.clear();
    await new Promise((resolve) => setImmediate(resolve));
    await guard.look();
    expect([...mounted.frozen]).toEqual(['a', 'b']);
    pool.freeBytes = 3 * gib;
    await guard.look();
    await guard.close();
    expect([...mounted.frozen]).toEqual([]);
  });

  it('leaves machines limited to their shares, and frozen ones frozen, when it ends', async () => {
    const { guard, pool, mounted } = fixture();
    pool.freeBytes = 20.5 * gib;
    await guard.look();
    await guard.close();
    expect([mounted.grow('a'), mounted.grow('b')]).toEqual([10 * gib, 10 * gib]);
    expect(mounted.unwritten.get('a')).toBeUndefined();
  });
});

describe('levels', () => {
  it('come one after the other', () => {
    const { reserve, window, floor, resume, pause, stop } = levelsOf(3 * gib);
    expect(floor + window).toBeLessThanOrEqual(reserve);
    expect([reserve, floor, resume, pause, stop]).toEqual(
      [reserve, floor, resume, pause, stop].sort((a, b) => b - a),
    );
  });

  it('keep 5 % of a large pool, 1 GiB of a usual one and an eighth of a small one', () => {
    expect(defaultReserveBytes(1000 * gib)).toBe(50 * gib);
    expect(defaultReserveBytes(15 * gib)).toBe(gib);
    expect(defaultReserveBytes(2 * gib)).toBe(gib / 4);
  });
});

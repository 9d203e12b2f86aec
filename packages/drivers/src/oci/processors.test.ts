import { availableParallelism } from 'node:os';
import { findCgroups } from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { chooseProcessors, readProcessors } from './processors.ts';

describe('chooseProcessors', () => {
  it.each([
    [1, 0, '0'],
    [1, 5, '1'],
    [1.5, 1, '2,3'],
    [3, 1, '3,0,1'],
    [4, 1, undefined],
    [8, 1, undefined],
  ])('gives %d processors in slot %d of a host with four: %s', (cpus, slot, expected) => {
    expect(chooseProcessors({ cpus, slot }, [0, 1, 2, 3])).toBe(expected);
  });

  it('gives all where machines cannot be bound to some', () => {
    expect(chooseProcessors({ cpus: 1, slot: 0 }, [])).toBeUndefined();
  });

  it('spreads slots evenly', () => {
    const counts = new Map<string, number>();
    for (let slot = 0; slot < 40; slot++) {
      for (const cpu of chooseProcessors({ cpus: 2, slot }, [2, 3, 6, 7, 9])?.split(',') ?? [])
        counts.set(cpu, (counts.get(cpu) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual([16, 16, 16, 16, 16]);
  });
});

describe('readProcessors', () => {
  it('finds those of this host, or none', async () => {
    const cgroups = await findCgroups();
    const found = cgroups === undefined ? [] : await readProcessors(cgroups);
    expect([0, availableParallelism()]).toContain(found.length);
  });
});

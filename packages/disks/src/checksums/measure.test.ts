import fc from 'fast-check';
import { expect, it } from 'vitest';
import { unionBytes } from './measure.ts';

it('counts every byte that is covered once, whatever the order', () => {
  const run = fc.tuple(fc.nat(200), fc.nat(50)).map(([start, length]) => [start, start + length] as const);
  fc.assert(
    fc.property(fc.array(run), (runs) => {
      const covered = new Set<number>();
      for (const [start, end] of runs) for (let at = start; at < end; at++) covered.add(at);
      expect(unionBytes(runs)).toBe(covered.size);
    }),
  );
});

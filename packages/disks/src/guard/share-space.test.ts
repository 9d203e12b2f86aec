import { describe, expect, it } from 'vitest';
import { type Claim, shareSpace } from './share-space.ts';

/** Disks with plenty of room that may grow by these amounts at present. */
function claims(...growBytes: readonly number[]): readonly Claim[] {
  return growBytes.map((bytes) => ({ growBytes: bytes, freeBytes: 1_000_000 }));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('shareSpace', () => {
  it('gives everybody the same at first', () => {
    expect(shareSpace(900, claims(1_000_000, 1_000_000, 1_000_000))).toEqual([300, 300, 300]);
  });

  it('takes nothing from the others when one has used up its share', () => {
    expect(shareSpace(600, claims(0, 300, 300))).toEqual([0, 300, 300]);
  });

  it('takes from those who have most when space went elsewhere', () => {
    expect(shareSpace(250, claims(0, 100, 300))).toEqual([0, 100, 150]);
    expect(shareSpace(120, claims(10, 100, 300))).toEqual([10, 55, 55]);
  });

  it('gives space that returned to those who have least', () => {
    expect(shareSpace(500, claims(0, 100, 300))).toEqual([100, 100, 300]);
    expect(shareSpace(900, claims(0, 100, 300))).toEqual([300, 300, 300]);
  });

  it('gives a disk no more than it has free', () => {
    const small = { growBytes: 5, freeBytes: 10 };
    expect(shareSpace(100, [small, ...claims(20)])).toEqual([10, 90]);
    expect(shareSpace(Number.POSITIVE_INFINITY, [small, ...claims(20)])).toEqual([10, 1_000_000]);
  });

  it('gives nothing when nothing is spare, and nobody to nobody', () => {
    expect(shareSpace(-5, claims(10, 20))).toEqual([0, 0]);
    expect(shareSpace(0, claims(10, 20))).toEqual([0, 0]);
    expect(shareSpace(100, [])).toEqual([]);
  });

  it('never gives more than is spare, nor leaves more than a byte each, whatever the claims', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let round = 0; round < 500; round++) {
      const disks = Array.from({ length: 1 + random(20) }, () => {
        const freeBytes = random(2 ** 30);
        return { freeBytes, growBytes: random(4) === 0 ? 0 : random(freeBytes + 1) };
      });
      const spare = random(2 ** 30);
      const shares = shareSpace(spare, disks);
      const room = sum(disks.map(({ freeBytes }) => freeBytes));
      expect(sum(shares)).toBeLessThanOrEqual(spare);
      expect(sum(shares)).toBeGreaterThanOrEqual(Math.min(spare, room) - disks.length);
      for (const [index, disk] of disks.entries()) expect(shares[index]).toBeLessThanOrEqual(disk.freeBytes);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { latencyRow, quantile } from './samples.ts';

describe('quantile', () => {
  it('takes the nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([quantile(samples, 0.5), quantile(samples, 0.99), quantile([7], 0.99)]).toEqual([50, 99, 7]);
  });
});

describe('latencyRow', () => {
  it('keeps a promise only when median and tail do', () => {
    const promise = { p50Ms: 10, p99Factor: 5 };
    expect(latencyRow('a', [9, 9, 9, 40], promise).kept).toBe(true);
    expect(latencyRow('a', [9, 9, 9, 46], promise).kept).toBe(false);
    expect(latencyRow('a', [11, 11, 11], promise).kept).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { BackOff } from './back-off.ts';

describe('the wait before a service is started again', () => {
  it('doubles up to a minute, however often it ends', () => {
    const backOff = new BackOff();
    const waits = Array.from({ length: 2000 }, () => backOff.nextMs(10));
    expect(waits.slice(0, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(new Set(waits.slice(6))).toEqual(new Set([60_000]));
  });

  it('begins anew after a run of a minute, or when someone starts the service', () => {
    const backOff = new BackOff();
    for (let i = 0; i < 5; i++) backOff.nextMs(0);
    expect(backOff.nextMs(60_000)).toBe(1000);
    expect(backOff.nextMs(59_999)).toBe(2000);
    backOff.reset();
    expect(backOff.nextMs(0)).toBe(1000);
  });
});

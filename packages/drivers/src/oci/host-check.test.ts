import { describe, expect, it } from 'vitest';
import { checkHost, isRecentKernel } from './host-check.ts';

describe('checkHost', () => {
  it('finds nothing wrong with a host that runs machines', async () => {
    expect(await checkHost()).toEqual([]);
  });
});

describe('isRecentKernel', () => {
  it.each([
    ['5.18.0', false],
    ['5.19.0-rc1', true],
    ['6.1.0-18-amd64', true],
    ['10.0', true],
    ['4.20.3', false],
    ['nonsense', false],
  ])('of %s is %s', (release, recent) => {
    expect(isRecentKernel(release)).toBe(recent);
  });
});

import { describe, expect, it } from 'vitest';
import { RateLimit, rateHeaders } from './rate-limit.ts';

function fixture(limit: number) {
  const time = { now: 10_000 };
  const clock = { now: () => time.now, sleep: async () => {} };
  return { rate: new RateLimit({ clock, limit, windowS: 60 }), time };
}

describe('RateLimit', () => {
  it('refuses what is too much in a window, of each key by itself, and says when to come back', () => {
    const { rate, time } = fixture(2);
    expect(rate.take('a')).toMatchObject({ isOver: false, remaining: 1 });
    expect(rate.take('a')).toMatchObject({ isOver: false, remaining: 0 });
    time.now += 15_500;
    const over = rate.take('a');
    expect(over).toMatchObject({
      isOver: true,
      details: { limit: 2, window_seconds: 60, retry_after_seconds: 45, current_count: 2 },
    });
    expect(over && rateHeaders(over)).toEqual({
      'X-RateLimit-Limit': '2',
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': '70',
      'Retry-After': '45',
    });
    expect(rate.take('b')).toMatchObject({ isOver: false });
    time.now += 45_000;
    expect(rate.take('a')).toMatchObject({ isOver: false, remaining: 1 });
  });

  it('keeps counting a busy key while others are made up', () => {
    const { rate } = fixture(100);
    for (let count = 0; count < 100; count += 1) rate.take('busy');
    for (let key = 0; key < 25_000; key += 1) rate.take(`made-up ${key}`);
    expect(rate.take('busy')).toMatchObject({ isOver: true });
  });

  it('lets any number through when there is no limit', () => {
    expect(fixture(0).rate.take('a')).toBeUndefined();
  });
});

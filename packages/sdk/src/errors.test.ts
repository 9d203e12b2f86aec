import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAPIError } from './errors.ts';

describe('parseAPIError', () => {
  it('adds the limits to the text of a 429', () => {
    const body = JSON.stringify({
      error: 'sprite_creation_rate_limited',
      message: 'Rate limit exceeded',
      limit: 10,
      window_seconds: 60,
      current_count: 11,
    });
    const error = parseAPIError(429, body, { 'Retry-After': '30', 'X-RateLimit-Limit': '10' });
    expect(error?.message).toBe('Rate limit exceeded (limit: 10 per 60s, current: 11, retry after: 30s)');
    expect(error?.isCreationRateLimited()).toBe(true);
    expect(error?.getRetryAfterSeconds()).toBe(30);
    expect(error?.rateLimitLimit).toBe(10);
  });

  it('takes a body that is not JSON for the message', () => {
    expect(parseAPIError(502, 'bad gateway')?.message).toBe('bad gateway');
    expect(parseAPIError(500, '')?.message).toBe('API error (status 500)');
    expect(parseAPIError(200, 'fine')).toBeUndefined();
  });

  it('never throws, whatever the body', () => {
    fc.assert(
      fc.property(fc.integer({ min: 400, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, body) => {
        expect(parseAPIError(status, body)?.statusCode).toBe(status);
      }),
    );
  });
});

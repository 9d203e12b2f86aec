import { type ErrorCode, type ErrorDetails, SpriteError } from '@sprites/contract';
import type { Clock } from '@sprites/core';

export type RateLimitOptions = {
  readonly clock: Clock;
  /** how many in a window; 0 for any number */
  readonly limit: number;
  readonly windowS: number;
};

/** Where a key stands after one more. */
export type RateState = {
  readonly isOver: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** when the window ends, in `s` since the epoch */
  readonly resetAtS: number;
  /** what an error answer says of it; integers, as clients decode them strictly */
  readonly details: ErrorDetails;
};

type Window = { readonly endMs: number; count: number };

/**
 * Keys that are remembered. One more takes the place of the least counted of the oldest ones, which begins anew: made-up
 * keys push out each other, and no key that is near its limit.
 */
const mostKeys = 10_000;
const oldestLookedAt = 64;

/** Counts by key in windows of fixed length. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #windows = new Map<string, Window>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Counts one more; undefined when there is no limit. */
  take(key: string): RateState | undefined {
    const { clock, limit, windowS } = this.#options;
    if (limit === 0) return undefined;
    const now = clock.now();
    const window = this.#window(key, now, windowS);
    const isOver = window.count >= limit;
    if (!isOver) window.count += 1;
    const retryS = Math.max(1, Math.ceil((window.endMs - now) / 1000));
    const { count } = window;
    return {
      isOver,
      limit,
      remaining: limit - count,
      resetAtS: Math.ceil(window.endMs / 1000),
      details: { limit, window_seconds: windowS, retry_after_seconds: retryS, current_count: count },
    };
  }

  #window(key: string, now: number, windowS: number): Window {
    const known = this.#windows.get(key);
    if (known !== undefined && known.endMs > now) return known;
    this.#windows.delete(key);
    const window = { endMs: now + windowS * 1000, count: 0 };
    this.#windows.set(key, window);
    if (this.#windows.size > mostKeys) this.#windows.delete(this.#leastCounted(now));
    return window;
  }

  #leastCounted(now: number): string {
    let [least, leastCount] = ['', Number.POSITIVE_INFINITY];
    for (const [key, { count, endMs }] of this.#windows.entries().take(oldestLookedAt)) {
      if (endMs <= now) return key;
      if (count < leastCount) [least, leastCount] = [key, count];
    }
    return least;
  }
}

/** The headers that clients read the state from. Spec section 1.4. */
export function rateHeaders({
  isOver,
  limit,
  remaining,
  resetAtS,
  details,
}: RateState): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(resetAtS),
    ...(isOver ? { 'Retry-After': String(details.retry_after_seconds) } : {}),
  };
}

/** A refusal because of a limit; its headers go with the answer. */
export class RateError extends SpriteError {
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, message: string, state: RateState) {
    super(code, message, { details: state.details });
    this.headers = rateHeaders(state);
  }
}

/** Counts one more sprite that an org makes, in whatever way. Throws `sprite_creation_rate_limited`. */
export function countCreation(
  creations: RateLimit,
  org: { readonly id: string; readonly slug: string },
): void {
  const state = creations.take(org.id);
  if (state?.isOver !== true) return;
  const message = `organisation ${org.slug} made ${state.limit} sprites within a minute, the most it may`;
  throw new RateError('sprite_creation_rate_limited', message, state);
}

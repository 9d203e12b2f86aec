import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock, TokenRecord } from '@sprites/core';

/** How long a browser stays signed in to one sprite, in `ms`. */
export const sessionMs = 7 * 24 * 3600 * 1000;
/** How long a browser may take from the API's host to the sprite's, in `ms`. */
const codeMs = 60_000;
const mostCodes = 1000;

/** The token with which a browser signed in, for one sprite's host only. */
export type UrlSession = { readonly label: string; readonly token: Pick<TokenRecord, 'id' | 'secretHash'> };

/** A session as a browser brings it, not checked yet. */
export type ClaimedSession = {
  readonly untilMs: number;
  readonly tokenId: string;
  readonly signature: string;
};

/**
 * Browsers that signed in to sprites. A session is a signed text that counts on one host only and for as long as its token
 * is good; a code carries it there from the API's host, once.
 */
export class UrlSessions {
  readonly #secret: Buffer;
  readonly #clock: Clock;
  readonly #codes = new Map<string, UrlSession & { readonly untilMs: number }>();

  constructor(secret: Buffer, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** A code for the sprite's host, good for a minute and once. */
  createCode(session: UrlSession): string {
    const [oldest] = this.#codes.keys();
    if (this.#codes.size >= mostCodes && oldest !== undefined) this.#codes.delete(oldest);
    const code = randomBytes(24).toString('base64url');
    this.#codes.set(code, { ...session, untilMs: this.#clock.now() + codeMs });
    return code;
  }

  /** The signed session of a code; undefined when it is not good for this host. */
  redeem(code: string, label: string): string | undefined {
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    if (found === undefined || found.label !== label || found.untilMs < this.#clock.now()) return undefined;
    const untilMs = this.#clock.now() + sessionMs;
    return `${untilMs}.${found.token.id}.${this.#sign(untilMs, found)}`;
  }

  /** Reads what a browser brings; undefined for what cannot be one. */
  parse(text: string): ClaimedSession | undefined {
    const match = /^(\d{1,16})\.([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_-]{43})$/.exec(text);
    if (match === null) return undefined;
    const [, until = '', tokenId = '', signature = ''] = match;
    return { untilMs: Number(until), tokenId, signature };
  }

  /** True when the session was made here for this host and token, and is not over. */
  isGood({ untilMs, signature }: ClaimedSession, session: UrlSession): boolean {
    const expected = Buffer.from(this.#sign(untilMs, session));
    return timingSafeEqual(expected, Buffer.from(signature)) && untilMs > this.#clock.now();
  }

  #sign(untilMs: number, { label, token }: UrlSession): string {
    const text = [untilMs, label, token.id, token.secretHash].join('\n');
    return createHmac('sha256', this.#secret).update(text).digest('base64url');
  }
}

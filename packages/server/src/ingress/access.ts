import { authenticate, type Clock, identifyToken, type Store, type TokenRecord } from '@sprites/core';
import { fieldValue, type RequestHead } from './http1/head.ts';
import type { Site } from './sites.ts';
import type { UrlSessions } from './url-sessions.ts';

/** Our cookie on a sprite's host; with TLS under a name that no other host can set. */
export const cookieNames = { http: 'sprites-session', https: '__Host-sprites-session' } as const;
export const ourCookies: ReadonlySet<string> = new Set(Object.values(cookieNames));

/** How long what the store said of a token is believed, in `ms`. */
const believeMs = 2000;
const mostBelieved = 1000;

/** Whether a request may reach a sprite, and whether its authorization field was for us. */
export type Access =
  | {
      readonly type: 'open';
      readonly usedToken: boolean;
      /** the token that opened it, or undefined for a public sprite */
      readonly tokenId: string | undefined;
    }
  /** nobody is signed in */
  | { readonly type: 'unknown' }
  /** somebody is, but the sprite is none of theirs */
  | { readonly type: 'foreign' };

/** Decides who may open the URL of a sprite. */
export class AccessControl {
  readonly #store: Store;
  readonly #sessions: UrlSessions;
  readonly #clock: Clock;
  readonly #believed = new Map<
    string,
    { readonly token: TokenRecord | undefined; readonly untilMs: number }
  >();

  constructor(deps: { readonly store: Store; readonly sessions: UrlSessions; readonly clock: Clock }) {
    this.#store = deps.store;
    this.#sessions = deps.sessions;
    this.#clock = deps.clock;
  }

  /** True when nobody need be asked who sends this request. */
  isOpenToAll(head: RequestHead, { sprite }: Site): boolean {
    return sprite.urlAuth === 'public' && fieldValue(head.fields, 'authorization') === undefined;
  }

  /** `site` is undefined when there is no such sprite: to whom is not signed in that looks like a private one. */
  async check(head: RequestHead, label: string, site: Site | undefined): Promise<Access> {
    const bearer = /^Bearer +(\S+)$/i.exec(fieldValue(head.fields, 'authorization') ?? '')?.[1];
    const byToken =
      bearer === undefined
        ? undefined
        : await this.#believe(`t ${bearer}`, () => tokenOf(this.#store, bearer));
    // a token of ours reaches no sprite, also not a public one that it was sent to needlessly
    const usedToken = byToken !== undefined;
    if (site?.sprite.urlAuth === 'public') return { type: 'open', usedToken, tokenId: byToken?.id };
    const token = byToken ?? (await this.#byCookie(head, label));
    if (token === undefined) return { type: 'unknown' };
    if (site === undefined || site.org.id !== token.orgId) return { type: 'foreign' };
    return { type: 'open', usedToken, tokenId: token.id };
  }

  async #byCookie(head: RequestHead, label: string): Promise<TokenRecord | undefined> {
    for (const value of sessionCookies(head)) {
      const claimed = this.#sessions.parse(value);
      if (claimed === undefined) continue;
      const { tokenId } = claimed;
      const token = await this.#believe(`s ${tokenId}`, () => this.#store.findToken(tokenId));
      if (token !== undefined && this.#sessions.isGood(claimed, { label, token })) return token;
    }
    return undefined;
  }

  /** Asks the store at most every other second. */
  async #believe(key: string, ask: () => Promise<TokenRecord | undefined>): Promise<TokenRecord | undefined> {
    const now = this.#clock.now();
    const known = this.#believed.get(key);
    if (known !== undefined && known.untilMs > now) return known.token;
    const token = await ask();
    if (this.#believed.size >= mostBelieved) this.#believed.clear();
    this.#believed.set(key, { token, untilMs: now + believeMs });
    return token;
  }
}

/** The values of our cookies in a request. */
function* sessionCookies(head: RequestHead): Generator<string> {
  for (const field of head.fields) {
    if (field.key !== 'cookie') continue;
    for (const cookie of field.value.split(';')) {
      const at = cookie.indexOf('=');
      if (ourCookies.has(cookie.slice(0, at).trim())) yield cookie.slice(at + 1).trim();
    }
  }
}

/** The record of a token that is good, or undefined. */
export async function tokenOf(store: Store, text: string): Promise<TokenRecord | undefined> {
  if ((await authenticate(store, text)) === undefined) return undefined;
  return store.findToken(identifyToken(text)?.tokenId ?? '');
}

import type { Duplex } from 'node:stream';
import { errorTable, SpriteError } from '@sprites/contract';
import type { Lifecycle } from '@sprites/core';
import { type RateLimit, rateHeaders } from '../http/rate-limit.ts';
import type { Logger } from '../log.ts';
import type { Connections } from '../sockets/connections.ts';
import { type AccessControl, cookieNames, ourCookies } from './access.ts';
import { Exchange, type ExchangeEnd } from './exchange.ts';
import type { Framing, RequestHead } from './http1/head.ts';
import { prefersHtml, type Refusal, writeRefusal } from './pages.ts';
import type { Ports, Reached } from './ports.ts';
import { type ClientFacts, writeRequestHead } from './rewrite.ts';
import type { Site, Sites } from './sites.ts';
import type { Upstreams } from './upstreams.ts';
import { sessionMs, type UrlSessions } from './url-sessions.ts';

/** Path on a sprite's host by which a browser that signed in gets its session. */
const sessionPath = '/.sprites/session?';
/** Most times a sprite is woken for one request: somebody may put it to sleep just then. */
const mostWakes = 20;
/** How long a program may think before its answer begins, in `ms`. */
const answerMs = 300_000;
const urlHold = { kind: 'connection', label: 'url' } as const;

/** The time of the last look at all connections; for limits of many seconds, as the exact time costs more. */
export type Tick = { readonly nowMs: number };

export type VisitDeps = {
  readonly sites: Sites;
  readonly access: AccessControl;
  /** counts requests by token, those to public sprites by the client's address */
  readonly rate: RateLimit;
  readonly sessions: UrlSessions;
  readonly lifecycle: Lifecycle;
  readonly connections: Connections;
  readonly ports: Ports;
  readonly upstreams: Upstreams;
  readonly tick: Tick;
  readonly log: Logger;
  /** where a browser signs in to a sprite and then comes back to a path on it */
  readonly signInUrl: (client: ClientFacts, host: string, label: string, path: string) => string;
  /** notes the status of an answer */
  readonly onAnswer: (status: number) => void;
};

export type VisitRequest = {
  readonly socket: Duplex;
  readonly head: RequestHead;
  readonly label: string;
  readonly framing: Framing;
  readonly client: ClientFacts;
  readonly isLast: boolean;
  readonly isWebSocket: boolean;
  readonly onEnd: (end: VisitEnd) => void;
};

/** What is to become of the client's connection. */
export type VisitEnd = 'keep' | 'last' | 'cut' | 'tunnel';

/** One request to a sprite, from its head to the end of the answer. */
export class Visit {
  readonly #request: VisitRequest;
  readonly #deps: VisitDeps;
  readonly #early: Buffer[] = [];
  /** aborted when nobody waits for the sprite to be reached any more */
  #left: AbortController | undefined;
  /** made when somebody waits for it */
  #done: PromiseWithResolvers<void> | undefined;
  /** lets go of the sprite, which is kept awake */
  #release: (() => void) | undefined;
  #exchange: Exchange | undefined;
  #reached: Reached | undefined;
  #usedToken = false;
  #answerBy: number;
  #isSent = false;
  #hasRetried = false;
  #isLast: boolean;
  #ended = false;

  constructor(request: VisitRequest, deps: VisitDeps) {
    this.#request = request;
    this.#deps = deps;
    this.#isLast = request.isLast;
    this.#answerBy = deps.tick.nowMs + answerMs;
  }

  /** Resolves when it is over. */
  get done(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#done ??= Promise.withResolvers();
    return this.#done.promise;
  }

  get isAnswering(): boolean {
    return this.#exchange?.isAnswering === true;
  }

  /** True while more of the request is to come and the program takes it. */
  get isReceiving(): boolean {
    return !this.#isSent && this.#exchange !== undefined && !this.#request.socket.isPaused();
  }

  start(): void {
    const { sites, access } = this.#deps;
    const { head, label } = this.#request;
    if (head.target.startsWith(sessionPath)) {
      this.#openSession(new URLSearchParams(head.target.slice(sessionPath.length)));
      return;
    }
    const site = sites.known(label);
    if (site !== undefined && access.isOpenToAll(head, site)) this.#admit(site, { usedToken: false });
    else this.#check().catch((error: unknown) => this.#fail(error));
  }

  /** Lets no request follow this one on its connection. */
  makeLast(): void {
    this.#isLast = true;
  }

  /** Passes on a part of the request's body. */
  send(bytes: Buffer): void {
    const stream = this.#reached?.upstream.stream;
    if (stream === undefined) this.#early.push(bytes);
    else if (stream.write(bytes)) return;
    this.#request.socket.pause();
  }

  /** The request's body is whole. */
  endBody(): void {
    this.#isSent = true;
    this.#answerBy = this.#deps.tick.nowMs + answerMs;
  }

  /** The client takes more of the answer. */
  resume(): void {
    this.#exchange?.resume();
  }

  /** Gives up: the client is gone. */
  leave(): void {
    const exchange = this.#exchange;
    this.#finish('cut');
    exchange?.abort('the client is gone');
  }

  sweep(nowMs: number): void {
    if (this.isAnswering || !this.#isSent || this.#exchange === undefined || nowMs < this.#answerBy) return;
    const seconds = answerMs / 1000;
    const message = `the program in the sprite did not answer within ${seconds} s`;
    this.#refuse({ status: 504, code: 'no_answer', message });
  }

  async #check(): Promise<void> {
    const { sites, access } = this.#deps;
    const { head, label } = this.#request;
    const site = await sites.find(label);
    const allowed = await access.check(head, label, site);
    if (allowed.type === 'unknown') this.#askToSignIn();
    else if (allowed.type === 'foreign' || site === undefined)
      this.#refuse({ status: 404, code: 'sprite_not_found', message: 'there is no sprite here' });
    else this.#admit(site, allowed);
  }

  #admit(
    site: Site,
    { usedToken, tokenId }: { readonly usedToken: boolean; readonly tokenId?: string | undefined },
  ): void {
    if (this.#ended || !this.#isInRate(tokenId)) return;
    this.#usedToken = usedToken;
    this.#visit(site);
  }

  #isInRate(tokenId: string | undefined): boolean {
    const key = tokenId ?? `address ${this.#request.client.address}`;
    const state = this.#deps.rate.take(key);
    if (state?.isOver !== true) return true;
    const seconds = state.details.retry_after_seconds ?? 1;
    const message = `more than ${state.limit} requests to URLs in ${state.details.window_seconds} s; try again in ${seconds} s`;
    const { details } = state;
    this.#refuse({ status: 429, code: 'rate_limited', message, details, headers: rateHeaders(state) });
    return false;
  }

  /** Keeps the sprite awake until it has ended. */
  #visit({ sprite }: Site): void {
    const { lifecycle, connections, ports } = this.#deps;
    const letSleep = lifecycle.hold(sprite.id, urlHold);
    const leave = connections.enter(sprite.id, this);
    this.#release = () => {
      leave();
      letSleep();
    };
    const reached = lifecycle.isRunning(sprite.id) ? ports.take(sprite.id) : undefined;
    if (reached === undefined) this.#reach(sprite);
    else this.#answer(sprite.id, reached);
  }

  #reach(sprite: Site['sprite']): void {
    const left = new AbortController();
    this.#left = left;
    this.#reachAwake(sprite, left.signal)
      .then((reached) => {
        this.#left = undefined;
        if (this.#ended) reached.upstream.stream.destroy();
        else this.#answer(sprite.id, reached);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  /** Somebody may put the sprite to sleep just as it is reached; a frozen program takes connections and never answers. */
  async #reachAwake(sprite: Site['sprite'], signal: AbortSignal): Promise<Reached> {
    const { lifecycle, ports } = this.#deps;
    for (let wakes = 1; wakes <= mostWakes; wakes++) {
      const wake = await lifecycle.wake(sprite, signal, 'url');
      const reached = await ports.connect(sprite.id, wake.kind === 'cold', signal);
      if (lifecycle.isRunning(sprite.id) && !this.#ended) return reached;
      reached.upstream.stream.destroy();
      signal.throwIfAborted();
    }
    throw new SpriteError('unavailable', `sprite ${sprite.name} is put to sleep again and again; try later`);
  }

  #answer(spriteId: string, reached: Reached): void {
    const { socket, head, framing, client, isWebSocket } = this.#request;
    this.#reached = reached;
    this.#exchange = new Exchange(reached.upstream, {
      client: socket,
      request: head,
      isWebSocket,
      isLast: this.#isLast,
      ourCookies,
      onEnd: (end) => this.#answered(spriteId, end),
    });
    const { stream } = reached.upstream;
    const text = writeRequestHead(head, {
      framing,
      client,
      dropAuthorization: this.#usedToken,
      ourCookies,
      isWebSocket,
    });
    let flows = stream.write(text, 'latin1');
    for (const bytes of this.#early.splice(0)) flows = stream.write(bytes);
    if (flows && !this.#isSent) socket.resume();
  }

  #answered(spriteId: string, end: ExchangeEnd): void {
    const { upstreams, connections, tick } = this.#deps;
    const reached = this.#reached;
    this.#exchange = undefined;
    this.#reached = undefined;
    if (this.#ended || reached === undefined) return;
    switch (end.type) {
      case 'answered':
        if (end.upstreamReusable && this.#isSent)
          upstreams.keep(spriteId, reached.port, reached.upstream, tick.nowMs);
        else reached.upstream.stream.destroy();
        this.#deps.onAnswer(end.status);
        this.#finish(end.clientReusable && !this.#isLast ? 'keep' : 'last');
        return;
      case 'tunnel':
        connections.add(spriteId, end.tunnel);
        void end.tunnel.done.then(this.#deps.lifecycle.hold(spriteId, urlHold));
        this.#deps.onAnswer(101);
        this.#finish('tunnel');
        return;
      case 'cut':
        this.#finish('cut');
        return;
      case 'failed':
        if (this.#mayRetry(end.isSilent, reached)) this.#retry(spriteId);
        else this.#refuse({ status: 502, code: 'bad_answer', message: end.reason });
        return;
      default:
        end satisfies never;
    }
  }

  /** A kept connection may have ended just as it was used again; then nothing of the request was looked at. */
  #mayRetry(isSilent: boolean, { upstream }: Reached): boolean {
    const { head, framing } = this.#request;
    const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(head.method) && framing.type === 'none';
    return isSilent && upstream.isReused && isSafe && !this.#hasRetried;
  }

  #retry(spriteId: string): void {
    this.#hasRetried = true;
    this.#deps.sites
      .find(this.#request.label)
      .then((site) => {
        if (site?.sprite.id !== spriteId)
          throw new SpriteError('sprite_not_found', 'there is no sprite here');
        if (!this.#ended) this.#reach(site.sprite);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  /** Ends it, as the sprite stops. */
  close(): void {
    if (this.#exchange === undefined) return;
    if (this.#exchange.isAnswering) this.#exchange.abort('the sprite was stopped');
    else this.#refuse({ status: 503, code: 'unavailable', message: 'the sprite was stopped; try again' });
  }

  #openSession(query: URLSearchParams): void {
    const { label, client } = this.#request;
    const session = this.#deps.sessions.redeem(query.get('code') ?? '', label);
    const to = query.get('to') ?? '/';
    const path = /^\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : '/';
    const cookie = `${cookieNames[client.proto]}=${session}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${sessionMs / 1000}${client.proto === 'https' ? '; Secure' : ''}`;
    if (session === undefined)
      this.#refuse({
        status: 403,
        code: 'forbidden',
        message: 'this sign-in is over or was used already; open the page again',
      });
    else
      this.#refuse({
        status: 303,
        code: 'signed_in',
        message: 'you are signed in',
        headers: { Location: path, 'Set-Cookie': cookie, 'Referrer-Policy': 'no-referrer' },
      });
  }

  #askToSignIn(): void {
    const { head, label, client } = this.#request;
    const message =
      'this sprite is private; send the header Authorization: Bearer <token>, or sign in with a browser';
    if (head.method === 'GET' && prefersHtml(head) && !this.#request.isWebSocket)
      this.#refuse({
        status: 302,
        code: 'unauthorized',
        message,
        headers: { Location: this.#deps.signInUrl(client, head.host, label, head.target) },
      });
    else
      this.#refuse({
        status: 401,
        code: 'unauthorized',
        message,
        headers: { 'WWW-Authenticate': 'Bearer realm="sprites"' },
      });
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    if (!(error instanceof SpriteError)) {
      this.#deps.log.error({ err: error }, 'a request to a sprite failed unexpectedly');
      this.#refuse({ status: 500, code: 'internal_error', message: 'internal error' });
      return;
    }
    const { status } = errorTable[error.code];
    this.#refuse({ status, code: error.code, message: error.message });
  }

  #refuse(refusal: Refusal): void {
    if (this.#ended) return;
    const { socket, head } = this.#request;
    const keeps = !this.#isLast && this.#isSent;
    socket.write(writeRefusal(refusal, head, !keeps));
    this.#deps.onAnswer(refusal.status);
    const exchange = this.#exchange;
    this.#finish(keeps ? 'keep' : 'last');
    exchange?.abort('the request was refused');
  }

  #finish(end: VisitEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#left?.abort(new Error('the request is over'));
    this.#release?.();
    this.#done?.resolve();
    this.#request.onEnd(end);
  }
}

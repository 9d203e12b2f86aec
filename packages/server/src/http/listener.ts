import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { createId, errorTable, SpriteError } from '@sprites/contract';
import type { Clock } from '@sprites/core';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { refuseUpgrade, sendError } from './answer.ts';
import { countedBy } from './authenticate.ts';
import { HeadBudget } from './head-budget.ts';
import { RateError, type RateLimit, rateHeaders } from './rate-limit.ts';
import { contextOf, type RequestContext, setContext } from './request-context.ts';

/** Largest request line with headers, in bytes: exec puts command and environment into the query. Spec section 1.1. */
const maxHeaderBytes = 4 * 1024 * 1024;
/** Most bytes of heads that are arriving at the same time. */
const defaultHeadsBytes = 256 * 1024 * 1024;
/** Longest time for a request's headers to arrive, in `ms`. */
const defaultHeadersTimeoutMs = 30_000;

export type ListenerDeps = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** requests with one token or from inside one sprite; any number unless given */
  readonly rate?: RateLimit | undefined;
  /** longest time for a request's headers to arrive, in `ms`; 30 s unless given */
  readonly headersTimeoutMs?: number;
  /** most bytes of heads that are arriving at the same time; 256 MiB unless given */
  readonly headsBytes?: number;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** resolves to the status that was answered */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, first: Buffer) => Promise<number>;
};

/** Makes the HTTP server: request ids, the log line and the metrics of every request are made here. */
export function createListener(deps: ListenerDeps): Server {
  const { headersTimeoutMs = defaultHeadersTimeoutMs, headsBytes = defaultHeadsBytes } = deps;
  const heads = new HeadBudget(deps.clock, headsBytes);
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.min(5000, headersTimeoutMs),
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    noDelay: true,
  });
  server.on('connection', (socket) => heads.add(socket));
  server.on('request', (request, response) => {
    heads.take(request, response);
    const context = begin(deps, request);
    response.setHeader('x-request-id', context.id);
    response.once('close', () => finish(deps, request, response.statusCode, !response.writableFinished));
    response.on('error', () => response.destroy());
    // from where the error became an answer, or the last line of one
    response.on('sprites:error', (error: unknown) => report(deps, context, error));
    // a request that makes them throw at once must not end the server
    Promise.try(() => {
      for (const [name, value] of Object.entries(takeTurn(deps, request))) response.setHeader(name, value);
      return deps.answer(request, response);
    }).catch((error: unknown) => {
      report(deps, context, error);
      sendError(response, error);
    });
  });
  server.on('upgrade', (request, socket, first) => {
    heads.release(socket);
    const context = begin(deps, request);
    socket.on('error', () => socket.destroy());
    Promise.try(() => {
      takeTurn(deps, request);
      return deps.upgrade(request, socket, first);
    })
      .then((status) => finish(deps, request, status, false))
      .catch((error: unknown) => {
        report(deps, context, error);
        finish(deps, request, refuseUpgrade(socket, error, { 'X-Request-Id': context.id }), false);
      });
  });
  server.on('clientError', answerBadRequest);
  // Node looks at slow connections only after this, and this server may get all of its from another that listens.
  server.emit('listening');
  return server;
}

/** Counts the request for whoever sent it. Throws `rate_limited`; the headers tell the client where it stands. */
function takeTurn({ rate }: ListenerDeps, request: IncomingMessage): Record<string, string> {
  const key = countedBy(request);
  const state = key === undefined ? undefined : rate?.take(key);
  if (state === undefined) return {};
  if (!state.isOver) return rateHeaders(state);
  throw new RateError('rate_limited', `more than ${state.limit} requests with this token in a minute`, state);
}

function begin(deps: ListenerDeps, request: IncomingMessage): RequestContext {
  const now = deps.clock.now();
  const context: RequestContext = { id: createId('req', now), startedAtMs: now, route: 'unknown' };
  setContext(request, context);
  return context;
}

function finish(deps: ListenerDeps, request: IncomingMessage, status: number, cut: boolean): void {
  const { id, startedAtMs, route, org, sprite } = contextOf(request);
  const tookMs = deps.clock.now() - startedAtMs;
  const method = request.method ?? 'GET';
  deps.metrics.requests.inc({ method, route, status });
  deps.metrics.requestSeconds.observe({ method, route }, tookMs / 1000);
  const facts = { request_id: id, method, route, org, sprite, status, ms: tookMs, ...(cut ? { cut } : {}) };
  deps.log.info(facts, 'request');
}

function report(deps: ListenerDeps, context: RequestContext, error: unknown): void {
  const expected = error instanceof SpriteError;
  // what a client did wrong is told to the client; the request's own line is enough here
  if (expected && (error.cause === undefined || errorTable[error.code].status < 500)) return;
  const facts = { request_id: context.id, route: context.route, sprite: context.sprite, err: error };
  if (expected) deps.log.warn(facts, error.message);
  else deps.log.error(facts, 'a request failed unexpectedly');
}

function answerBadRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  refuseUpgrade(socket, toRefusal(error.code), {});
}

function toRefusal(code: string | undefined): SpriteError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new SpriteError('request_timeout', 'the headers of the request did not come in time');
  if (code !== 'HPE_HEADER_OVERFLOW')
    return new SpriteError('invalid_request', 'this is not an HTTP/1.1 request');
  const message = `the request line and headers are larger than ${maxHeaderBytes} bytes; send less in the query`;
  return new SpriteError('request_header_too_large', message);
}

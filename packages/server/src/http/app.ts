import type { HttpBindings } from '@hono/node-server';
import { type Endpoint, parseInput, renderError, SpriteError } from '@sprites/contract';
import type { OrgRecord, Store } from '@sprites/core';
import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { authenticateHeader } from './authenticate.ts';
import { readJson } from './read-json.ts';
import { contextOf } from './request-context.ts';

export type Env = { Bindings: HttpBindings };
export type App = Hono<Env>;

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

/** A request that passed its endpoint's checks. */
export type Call<E extends Endpoint> = {
  readonly context: Context<Env>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Parsed<E['query']>;
  readonly body: Parsed<E['body']>;
  readonly signal: AbortSignal;
};

/** A call of an endpoint that asks for a token. */
export type OrgCall<E extends Endpoint> = Call<E> & { readonly org: OrgRecord };

export function createApp(): App {
  const app: App = new Hono();
  app.notFound((context) => {
    const { method, path } = context.req;
    throw new SpriteError('not_found', `no endpoint ${method} ${path.slice(0, 200)}; see /openapi.json`);
  });
  app.onError((error, context) => {
    context.env.incoming.resume();
    const { status, body } = renderError(error);
    if (status >= 500) context.env.outgoing.emit('sprites:error', error);
    // statuses of the error table are all ones that carry a body
    return context.json(body, status as ContentfulStatusCode);
  });
  return app;
}

/** Registers the handler of an endpoint that asks for a token. */
export function serve<const E extends Endpoint>(
  app: App,
  store: Store,
  endpoint: E,
  handle: (call: OrgCall<E>) => Promise<Response> | Response,
): void {
  serveOpen(app, endpoint, async (call) => {
    const context = contextOf(call.context.env.incoming);
    const org = await authenticateHeader(store, call.context.req.header('authorization'));
    context.org = org.slug;
    return handle({ ...call, org });
  });
}

/** Registers the handler of an endpoint that asks for no token. */
export function serveOpen<const E extends Endpoint>(
  app: App,
  endpoint: E,
  handle: (call: Call<E>) => Promise<Response> | Response,
): void {
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
  app.on(endpoint.method, path, async (context) => {
    const request = contextOf(context.env.incoming);
    request.route = endpoint.id;
    const parameters: Record<string, string> = context.req.param();
    if (parameters.name !== undefined) request.sprite = parameters.name.slice(0, 80);
    const lazy = {
      get query() {
        return endpoint.query === undefined ? undefined : parseInput(endpoint.query, context.req.query());
      },
    };
    const body =
      endpoint.body === undefined ? undefined : parseInput(endpoint.body, await readJson(context.req.raw));
    // query and body were parsed by the endpoint's own schemas
    const call = { context, parameters, query: lazy.query, body, signal: context.req.raw.signal } as Call<E>;
    return handle(call);
  });
}

import type { HttpBindings } from '@hono/node-server';
import { type Endpoint, endpoints, parseInput, renderError, SpriteError } from '@sprites/contract';
import type { OrgRecord, Store } from '@sprites/core';
import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { headersOf } from './answer.ts';
import { authenticateRequest } from './authenticate.ts';
import { matchPath, parseTarget } from './path.ts';
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
    const { method } = context.req;
    const path = (context.env.incoming.url ?? '/').split('?', 1)[0] ?? '/';
    if (path.startsWith('/fs/')) throw withoutSprite(path);
    const allowed = methodsOf(path);
    // a path with dots matches here but not in the router, which takes the dots away
    if (allowed.length === 0 || allowed.some((one) => one === method)) {
      throw new SpriteError('not_found', `no endpoint ${method} ${path.slice(0, 200)}; see /openapi.json`);
    }
    const list = allowed.join(', ');
    context.env.outgoing.setHeader('allow', list);
    throw new SpriteError('method_not_allowed', `${path.slice(0, 200)} answers ${list}, not ${method}`);
  });
  app.onError((error, context) => {
    context.env.incoming.resume();
    const { status, body } = renderError(error);
    if (status >= 500) context.env.outgoing.emit('sprites:error', error);
    // statuses of the error table are all ones that carry a body
    return context.json(body, status as ContentfulStatusCode, headersOf(error));
  });
  return app;
}

/** What the Elixir client asks for unless its base URL names a sprite. Spec section 10.12. */
function withoutSprite(path: string): SpriteError {
  return new SpriteError(
    'invalid_request',
    `${path.slice(0, 80)} names no sprite: give the client …/v1/sprites/<name> for its base URL, or ask /v1/sprites/<name>${path.slice(0, 80)}`,
  );
}

/** Methods that endpoints of this path have. */
function methodsOf(path: string): readonly string[] {
  const { segments } = parseTarget(path);
  const matching = Object.values<Endpoint>(endpoints).filter((endpoint) =>
    matchPath(endpoint.path, segments),
  );
  return [...new Set(matching.map((endpoint) => endpoint.method))];
}

/** Registers the handler of an endpoint that asks for a token; nothing of the body is read before that is known. */
export function serve<const E extends Endpoint>(
  app: App,
  store: Store,
  endpoint: E,
  handle: (call: OrgCall<E>) => Promise<Response> | Response,
): void {
  register<E>(app, endpoint, async ({ env }, { name }) => {
    const org = await authenticateRequest(store, env.incoming, { endpoint, name });
    contextOf(env.incoming).org = org.slug;
    return (call) => handle({ ...call, org });
  });
}

/** Registers the handler of an endpoint that asks for no token. */
export function serveOpen<const E extends Endpoint>(
  app: App,
  endpoint: E,
  handle: (call: Call<E>) => Promise<Response> | Response,
): void {
  register<E>(app, endpoint, async () => handle);
}

type Admit<E extends Endpoint> = (
  context: Context<Env>,
  parameters: Readonly<Record<string, string>>,
) => Promise<(call: Call<E>) => Promise<Response> | Response>;

function register<E extends Endpoint>(app: App, endpoint: E, admit: Admit<E>): void {
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
  app.on(endpoint.method, path, async (context) => {
    const request = contextOf(context.env.incoming);
    request.route = endpoint.id;
    const parameters: Record<string, string> = context.req.param();
    if (parameters.name !== undefined) request.sprite = parameters.name.slice(0, 80);
    const handle = await admit(context, parameters);
    const query = endpoint.query === undefined ? undefined : parseInput(endpoint.query, context.req.query());
    const body =
      endpoint.body === undefined
        ? undefined
        : parseInput(endpoint.body, await readJson(context.req.raw), endpoint.bodyError);
    // query and body were parsed by the endpoint's own schemas
    const call = { context, parameters, query, body, signal: context.req.raw.signal } as Call<E>;
    return handle(call);
  });
}

import type { IncomingMessage } from 'node:http';

/** What is known of a request while it is answered; the log line and the metrics are made of it. */
export type RequestContext = {
  readonly id: string;
  readonly startedAtMs: number;
  /** the endpoint’s id, for labels; `unknown` until a route matched */
  route: string;
  org?: string;
  sprite?: string;
};

const contexts = new WeakMap<IncomingMessage, RequestContext>();

export function setContext(request: IncomingMessage, context: RequestContext): void {
  contexts.set(request, context);
}

/** The context of a request that came through the listener. */
export function contextOf(request: IncomingMessage): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error('the request has no context');
  return context;
}

import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What a successful answer carries. */
export type Answer =
  | { readonly type: 'json'; readonly status: number; readonly schema: z.ZodType }
  | { readonly type: 'ndjson'; readonly status: number; readonly line: z.ZodType }
  | { readonly type: 'bytes'; readonly status: number; readonly contentType: string }
  | { readonly type: 'empty'; readonly status: number }
  | { readonly type: 'websocket' };

/** One endpoint of the public API: server validation, client types and OpenAPI are derived from this value. */
export type Endpoint = {
  readonly id: string;
  readonly method: Method;
  /** path with `{parameter}` segments */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** how a body that does not fit its schema is refused; `invalid_request` unless given */
  readonly bodyError?: ErrorCode;
  /** content type of a body that is read as it comes; then there is no `body` */
  readonly upload?: string;
  /** first the usual answer, then those chosen by request headers */
  readonly answers: readonly [Answer, ...Answer[]];
  readonly errors: readonly ErrorCode[];
  /** false when no token is asked for */
  readonly authenticated: boolean;
  /** set when the agent in the sprite answers; `session` is about a session, which a sleeping sprite does not have */
  readonly agent?: 'wakes' | 'session';
  /** what the agent's answer is while the sprite does not run, JSON or an error; without it the sprite is woken */
  readonly asleep?: object | ErrorCode;
  /** true when programs in the sprite may ask for it on the in-sprite socket, without `/sprites/{name}` */
  readonly inside?: true;
};

/** Declares an endpoint and keeps its exact type. */
export function defineEndpoint<const E extends Endpoint>(endpoint: E): E {
  return endpoint;
}

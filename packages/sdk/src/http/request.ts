import type { Endpoint } from '@sprites/contract';
import type { z } from 'zod';
import { APIError, parseAPIError } from '../errors.ts';

/** What every request needs to know about its server. */
export type Server = { readonly baseURL: string; readonly token: string; readonly timeout: number };

export type RequestOptions = {
  /** values of the `{parameter}` segments of the path */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
  /** sent as JSON */
  readonly json?: unknown;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** sent as it comes, for endpoints that take an upload */
  readonly upload?: ReadableStream<Uint8Array>;
  readonly accept?: string;
  readonly authorization?: string;
  readonly signal?: AbortSignal | undefined;
  /** overrides the server's time limit; 0 is none */
  readonly timeoutMs?: number;
};

/** What an endpoint's JSON answer holds. */
export type JsonAnswer<E extends Endpoint> =
  Extract<E['answers'][number], { type: 'json' }> extends { readonly schema: infer S extends z.ZodType }
    ? z.output<S>
    : never;

/** The full address of an endpoint. Parameters are percent-encoded, each as one segment. */
export function endpointURL(
  baseURL: string,
  endpoint: Pick<Endpoint, 'path'>,
  params: Readonly<Record<string, string>> = {},
  query?: URLSearchParams,
): URL {
  const path = endpoint.path.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = params[key];
    if (value === undefined || value === '') throw new TypeError(`${key} must not be empty`);
    return encodeURIComponent(value);
  });
  const search = query?.toString();
  return new URL(`${baseURL}${path}${search ? `?${search}` : ''}`);
}

/** Sends one request; answers below 400 are returned with the body unread, others throw an APIError. */
export async function request(
  server: Server,
  endpoint: Endpoint,
  options: RequestOptions = {},
): Promise<Response> {
  const url = endpointURL(server.baseURL, endpoint, options.params, options.query);
  const response = await fetch(url, {
    method: endpoint.method,
    headers: requestHeaders(server, options),
    ...requestBody(options),
    signal: requestSignal(options.signal, options.timeoutMs ?? server.timeout),
  });
  if (response.status < 400) return response;
  const headers = Object.fromEntries(response.headers.entries());
  throw parseAPIError(response.status, await response.text(), headers) ?? new APIError('request failed');
}

/** Sends one request and reads its JSON answer, checked against the endpoint's schema. */
export async function requestJson<const E extends Endpoint>(
  server: Server,
  endpoint: E,
  options: RequestOptions = {},
): Promise<JsonAnswer<E>> {
  const response = await request(server, endpoint, options);
  const answer = endpoint.answers.find((candidate) => candidate.type === 'json');
  if (answer === undefined) throw new TypeError(`endpoint ${endpoint.id} has no JSON answer`);
  const parsed = answer.schema.safeParse(await response.json());
  if (!parsed.success) {
    throw new APIError(`unexpected answer to ${endpoint.id}: ${parsed.error.message}`, {
      statusCode: response.status,
      requestId: response.headers.get('x-request-id') ?? undefined,
    });
  }
  // `answer.schema` is the schema JsonAnswer takes its type from
  return parsed.data as JsonAnswer<E>;
}

function requestBody({ upload, bytes, json }: RequestOptions): RequestInit {
  // a stream is sent while the answer may come already
  if (upload !== undefined) return { body: upload, duplex: 'half' } as RequestInit;
  return { body: bytes ?? (json === undefined ? null : JSON.stringify(json)) };
}

/** Options of a request whose answer takes as long as it takes. */
export function streamed({ signal }: Pick<RequestOptions, 'signal'>): RequestOptions {
  return { accept: 'application/x-ndjson', signal, timeoutMs: 0 };
}

function requestHeaders(server: Server, options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {
    authorization: options.authorization ?? `Bearer ${server.token}`,
    accept: options.accept ?? 'application/json',
  };
  if (options.json !== undefined) headers['content-type'] = 'application/json';
  if (options.upload !== undefined) headers['content-type'] = 'application/zstd';
  if (options.bytes !== undefined) headers['content-type'] = 'application/octet-stream';
  return headers;
}

function requestSignal(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal | null {
  if (timeoutMs === 0) return signal ?? null;
  const limit = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

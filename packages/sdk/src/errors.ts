import { z } from 'zod';
import type { ExecResult } from './options.ts';

export const ERR_CODE_CREATION_RATE_LIMITED = 'sprite_creation_rate_limited';
export const ERR_CODE_CONCURRENT_LIMIT_EXCEEDED = 'concurrent_sprite_limit_exceeded';

/** What an API error answer said, beside its message. */
export type APIErrorFields = {
  /** machine-readable code, such as `sprite_not_found` */
  readonly errorCode?: string | undefined;
  /** HTTP status */
  readonly statusCode?: number | undefined;
  readonly limit?: number | undefined;
  readonly windowSeconds?: number | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly currentCount?: number | undefined;
  readonly upgradeAvailable?: boolean | undefined;
  readonly upgradeUrl?: string | undefined;
  /** `Retry-After` header in seconds */
  readonly retryAfterHeader?: number | undefined;
  readonly rateLimitLimit?: number | undefined;
  readonly rateLimitRemaining?: number | undefined;
  /** Unix seconds */
  readonly rateLimitReset?: number | undefined;
  /** `x-request-id` of the answer; it finds the server's log line */
  readonly requestId?: string | undefined;
};

/** The server refused a request, plain HTTP or WebSocket upgrade. Test `errorCode`, not the message. */
export class APIError extends Error {
  readonly errorCode: string | undefined;
  readonly statusCode: number | undefined;
  readonly limit: number | undefined;
  readonly windowSeconds: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly currentCount: number | undefined;
  readonly upgradeAvailable: boolean | undefined;
  readonly upgradeUrl: string | undefined;
  readonly retryAfterHeader: number | undefined;
  readonly rateLimitLimit: number | undefined;
  readonly rateLimitRemaining: number | undefined;
  readonly rateLimitReset: number | undefined;
  readonly requestId: string | undefined;

  constructor(message: string, fields: APIErrorFields = {}) {
    super(message);
    this.name = 'APIError';
    this.errorCode = fields.errorCode;
    this.statusCode = fields.statusCode;
    this.limit = fields.limit;
    this.windowSeconds = fields.windowSeconds;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.currentCount = fields.currentCount;
    this.upgradeAvailable = fields.upgradeAvailable;
    this.upgradeUrl = fields.upgradeUrl;
    this.retryAfterHeader = fields.retryAfterHeader;
    this.rateLimitLimit = fields.rateLimitLimit;
    this.rateLimitRemaining = fields.rateLimitRemaining;
    this.rateLimitReset = fields.rateLimitReset;
    this.requestId = fields.requestId;
  }

  isRateLimitError(): boolean {
    return this.statusCode === 429;
  }

  isCreationRateLimited(): boolean {
    return this.errorCode === ERR_CODE_CREATION_RATE_LIMITED;
  }

  isConcurrentLimitExceeded(): boolean {
    return this.errorCode === ERR_CODE_CONCURRENT_LIMIT_EXCEEDED;
  }

  /** Seconds to wait before trying again: the body's value, or else the header's. */
  getRetryAfterSeconds(): number | undefined {
    if (this.retryAfterSeconds !== undefined && this.retryAfterSeconds > 0) return this.retryAfterSeconds;
    return this.retryAfterHeader;
  }
}

/** A command ended with a status other than 0; its output so far is in `result`. */
export class ExecError extends Error {
  readonly result: ExecResult<string | Uint8Array>;

  constructor(message: string, result: ExecResult<string | Uint8Array>) {
    super(message);
    this.name = 'ExecError';
    this.result = result;
  }

  get exitCode(): number {
    return this.result.exitCode;
  }

  get stdout(): string | Uint8Array {
    return this.result.stdout;
  }

  get stderr(): string | Uint8Array {
    return this.result.stderr;
  }
}

/** Why a connection to a command is gone although the command's exit status never arrived. */
export type ConnectionFailure = 'unreachable' | 'timeout' | 'closed' | 'detached' | 'protocol';

/** The connection failed, was lost, or was let go by `detach()`. The command itself may still be running. */
export class ConnectionError extends Error {
  readonly code: ConnectionFailure;
  /** session to attach to again, if it was known */
  readonly sessionId: string | undefined;

  constructor(
    code: ConnectionFailure,
    message: string,
    options: { cause?: unknown; sessionId?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ConnectionError';
    this.code = code;
    this.sessionId = options.sessionId;
  }
}

/** Something failed with a file of the sprite; `code` is the kernel's name for it, such as `ENOENT`. */
export class FilesystemError extends APIError {
  readonly code: string;
  readonly path: string;

  constructor(message: string, { code, path, ...fields }: APIErrorFields & { code: string; path: string }) {
    super(message, fields);
    this.name = 'FilesystemError';
    this.code = code;
    this.path = path;
  }
}

const ErrorText = z.string().optional().catch(undefined);
const ErrorNumber = z.number().optional().catch(undefined);

/** Any server's error body; a member of the wrong type counts as absent. */
const AnyErrorBody = z.object({
  error: ErrorText,
  code: ErrorText,
  path: ErrorText,
  message: ErrorText,
  limit: ErrorNumber,
  window_seconds: ErrorNumber,
  retry_after_seconds: ErrorNumber,
  current_count: ErrorNumber,
  upgrade_available: z.boolean().optional().catch(undefined),
  upgrade_url: ErrorText,
});

/** Makes the error of an answer with status 400 or above; undefined for any other. Spec section 2.1. */
export function parseAPIError(
  statusCode: number,
  body: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): APIError | undefined {
  if (statusCode < 400) return undefined;
  const lowered = new Headers(headers);
  const parsed = parseBody(body);
  const fields: APIErrorFields = {
    errorCode: parsed?.error,
    statusCode,
    limit: parsed?.limit,
    windowSeconds: parsed?.window_seconds,
    retryAfterSeconds: parsed?.retry_after_seconds,
    currentCount: parsed?.current_count,
    upgradeAvailable: parsed?.upgrade_available,
    upgradeUrl: parsed?.upgrade_url,
    retryAfterHeader: integer(lowered.get('retry-after')),
    rateLimitLimit: integer(lowered.get('x-ratelimit-limit')),
    rateLimitRemaining: integer(lowered.get('x-ratelimit-remaining')),
    rateLimitReset: integer(lowered.get('x-ratelimit-reset')),
    requestId: lowered.get('x-request-id') ?? undefined,
  };
  const raw = parsed === undefined ? body : undefined;
  const text = parsed?.message || raw || parsed?.error || `API error (status ${statusCode})`;
  if (parsed?.code !== undefined && parsed.path !== undefined && parsed.error !== undefined) {
    const { code, path } = parsed;
    return new FilesystemError(parsed.error, { ...fields, errorCode: code, code, path });
  }
  const detailed = statusCode === 429 && parsed?.error !== text ? text + limitDetails(fields) : text;
  return new APIError(detailed, fields);
}

function limitDetails(fields: APIErrorFields): string {
  const retryAfter = fields.retryAfterSeconds ?? fields.retryAfterHeader;
  const parts = [
    fields.limit !== undefined && fields.windowSeconds !== undefined
      ? `limit: ${fields.limit} per ${fields.windowSeconds}s`
      : '',
    fields.currentCount !== undefined ? `current: ${fields.currentCount}` : '',
    retryAfter !== undefined ? `retry after: ${retryAfter}s` : '',
    fields.upgradeUrl ? `upgrade: ${fields.upgradeUrl}` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function parseBody(body: string | undefined): z.output<typeof AnyErrorBody> | undefined {
  if (!body) return undefined;
  try {
    return AnyErrorBody.safeParse(JSON.parse(body)).data;
  } catch {
    // not JSON: the text itself becomes the message
    return undefined;
  }
}

function integer(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

import type { APIError, ConnectionError } from '@sprites/sdk';
import { CliError } from './cli-error.ts';
import { printable } from './terminal/style.ts';

/** What a failed command tells its user and the shell. */
export type Failure = { readonly message: string; readonly exitCode: number };

/** Puts anything thrown into words. The SDK's errors are told by name, so that it need not be loaded. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  if (isApiError(error)) return { message: describeApiError(error), exitCode: 1 };
  if (isConnectionError(error)) return { message: describeConnectionError(error), exitCode: 1 };
  if (error instanceof Error) return { message: describeOther(error), exitCode: 1 };
  return { message: String(error), exitCode: 1 };
}

/** Whether this is the SDK's ConnectionError. */
export function isConnectionError(error: unknown): error is ConnectionError {
  return error instanceof Error && error.name === 'ConnectionError' && 'code' in error;
}

function isApiError(error: unknown): error is APIError {
  return error instanceof Error && error.name === 'APIError' && 'statusCode' in error;
}

function describeApiError(error: APIError): string {
  const message = printable(error.message);
  const wait = error.statusCode === 429 ? error.getRetryAfterSeconds() : undefined;
  const hints: readonly (string | false | undefined)[] = [
    error.statusCode === 401 && 'run `sprite login` with a valid token',
    error.errorCode === 'sprite_not_found' && 'see `sprite list`, or choose another organization with -o',
    error.errorCode === 'checkpoint_not_found' && 'see `sprite checkpoint list --include-auto`',
    error.errorCode === 'service_not_found' && 'see `sprite services`',
    error.errorCode === 'session_not_found' && 'see `sprite sessions`',
    wait !== undefined && `try again in ${wait} s`,
    (error.statusCode ?? 0) >= 500 &&
      error.requestId !== undefined &&
      `request ${printable(error.requestId)}`,
  ];
  return [message, ...hints.filter((hint) => typeof hint === 'string')].join('; ');
}

function describeConnectionError(error: ConnectionError): string {
  const { message, sessionId } = error;
  return sessionId === undefined
    ? message
    : `${message}; if the session still runs, \`sprite attach ${sessionId}\` brings it back`;
}

function describeOther(error: Error): string {
  if (error.name === 'TimeoutError') return 'the server took too long to answer; try again';
  const cause = error.cause instanceof Error ? error.cause : undefined;
  // fetch says only that it failed; the reason is in its cause.
  if (error instanceof TypeError && error.message === 'fetch failed' && cause !== undefined) {
    return `cannot reach the server: ${cause.message || codeOf(cause)}; is it running?`;
  }
  // and of an answer that breaks off it says one word
  if (error instanceof TypeError && error.message === 'terminated') {
    return 'the connection broke off; try again';
  }
  return error.message || error.name;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name;
}

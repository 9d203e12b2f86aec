import { parseDurationMs } from '../duration.ts';
import { SpriteError } from '../errors.ts';
import { parseSignal, type Signal } from '../exec/signals.ts';

/** A longer wait or stream is refused; a client that wants more asks again. */
const longestMs = 24 * 3_600_000;
const mostLines = 1_000_000;

const defaults = { duration: '5s', timeout: '10s' } as const;

/** How long to stream output after a start, in `ms`; 0 = not at all. Throws `invalid_request`. */
export function parseStreamMs(query: URLSearchParams): number {
  return parseWait('duration', query.get('duration') || defaults.duration);
}

/** How long a service may take to stop before it is killed, in `ms`. Throws `invalid_request`. */
export function parseStopMs(query: URLSearchParams): number {
  return parseWait('timeout', query.get('timeout') || defaults.timeout);
}

/** Which part of a log to read: the last `lines` of it, 0 = all, and how long to follow it, in `ms`. */
export type LogRequest = { readonly lines: number; readonly followMs: number };

/** Reads what is asked of a log. Throws `invalid_request`. */
export function parseLogRequest(query: URLSearchParams): LogRequest {
  const lines = query.get('lines') || '0';
  if (!/^\d{1,7}$/.test(lines) || Number(lines) > mostLines) {
    throw refuse('lines', lines, `a whole number up to ${mostLines}, or 0 for all`);
  }
  return { lines: Number(lines), followMs: parseWait('duration', query.get('duration') || '0') };
}

/** A signal for a service. */
export type SignalRequest = { readonly name: string; readonly signal: Signal };

/** Reads the body of a signal request. Throws `invalid_request` or `invalid_signal`. */
export function parseSignalRequest(body: unknown): SignalRequest {
  const { name, signal } = typeof body === 'object' && body !== null ? { name: '', signal: '', ...body } : {};
  if (typeof name !== 'string' || name === '') {
    throw new SpriteError('invalid_request', 'name is missing: name the service to signal');
  }
  if (typeof signal !== 'string' && typeof signal !== 'number') {
    throw new SpriteError('invalid_signal', 'signal must be a name such as TERM');
  }
  return { name, signal: parseSignal(String(signal)) };
}

function parseWait(field: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= longestMs) return ms;
  throw refuse(field, text, 'a duration such as 5s, at most 24h');
}

function refuse(field: string, text: string, wanted: string): SpriteError {
  return new SpriteError(
    'invalid_request',
    `bad ${field} ${JSON.stringify(text.slice(0, 40))}: must be ${wanted}`,
  );
}

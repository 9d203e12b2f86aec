import { parseDurationMs } from '../duration.ts';
import { SpriteError } from '../errors.ts';
import { parseObject } from './messages.ts';
import { parseSignal, type Signal } from './signals.ts';

const defaultSignal = 'SIGTERM';
const defaultTimeout = '10s';

/** How to end a session: the signal, and how long to wait before SIGKILL; 0 sends the signal only. */
export type KillRequest = { readonly signal: Signal; readonly timeoutMs: number };

/** One line of the answer to a kill. Spec section 6.3. */
export type KillEvent =
  | { readonly type: 'signal'; readonly message: string; readonly signal: string; readonly pid: number }
  | { readonly type: 'timeout' | 'exited' | 'killed' | 'error'; readonly message: string }
  | { readonly type: 'complete'; readonly exit_code?: number };

/** Reads the parameters of a kill from its query and body; where both name one the body wins. */
export function parseKillRequest(query: URLSearchParams, body: string): KillRequest {
  const fields = body.trim() === '' ? {} : parseObject(body);
  if (fields === undefined)
    throw new SpriteError('invalid_request', 'the body of a kill must be a json object');
  const signal = toText(fields.signal) ?? query.get('signal') ?? defaultSignal;
  const timeout = toText(fields.timeout) ?? query.get('timeout') ?? defaultTimeout;
  const timeoutMs = parseDurationMs(timeout);
  if (timeoutMs === undefined) {
    throw new SpriteError(
      'invalid_request',
      `bad timeout ${JSON.stringify(timeout.slice(0, 40))}: must be a duration such as 10s`,
    );
  }
  return { signal: parseSignal(signal === '' ? defaultSignal : signal), timeoutMs };
}

function toText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

import { parseDurationMs } from '../duration.ts';
import { SpriteError } from '../errors.ts';

/** A hold that keeps a sprite awake. Spec section 16.1. */
export type TaskEntry = { readonly name: string; readonly started_at: string; readonly expires_at: string };

/** What a request asks of a task; `name` is undefined when the path has it. */
export type TaskRequest = { readonly name: string | undefined; readonly expireMs: number };

const longestMs = 3_600_000;
const namePattern = /^[^\p{Cc}]{1,128}$/u;

/** Checks the name of a task to be made. Throws `invalid_request`. */
export function parseTaskName(value: unknown): string {
  if (typeof value === 'string' && namePattern.test(value)) return value;
  throw bad('name', value, 'must have 1 to 128 characters, none of them a control character');
}

/** Reads the body of a request that makes or refreshes a task. Throws `invalid_request`. */
export function parseTaskRequest(body: unknown): TaskRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new SpriteError('invalid_request', 'the body must be a json object with an expire');
  }
  const { name, expire } = { name: undefined, expire: undefined, ...body };
  return { name: name === undefined ? undefined : parseTaskName(name), expireMs: parseExpireMs(expire) };
}

/** Whole seconds, or text: a duration or a number of seconds. */
function parseExpireMs(value: unknown): number {
  const ms = typeof value === 'string' ? parseDurationMs(value) : toSeconds(value);
  if (ms === undefined || ms < 1)
    throw bad('expire', value, 'must be whole seconds or a duration such as "30m"');
  if (ms > longestMs) throw bad('expire', value, 'must be at most 1h; refresh the task before it expires');
  return ms;
}

function toSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value * 1000 : undefined;
}

function bad(field: string, value: unknown, remedy: string): SpriteError {
  const shown = (JSON.stringify(value) ?? 'undefined').slice(0, 80);
  return new SpriteError('invalid_request', `bad ${field} ${shown}: ${remedy}`);
}

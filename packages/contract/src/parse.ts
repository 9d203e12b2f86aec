import type { z } from 'zod';
import { type ErrorCode, SpriteError } from './errors.ts';

/**
 * Checks a value from outside against a schema and returns the parsed value. Throws `invalid_request`, or
 * the given code, with a message that names every bad member and what is expected of it.
 */
export function parseInput<S extends z.ZodType>(
  schema: S,
  value: unknown,
  code: ErrorCode = 'invalid_request',
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map(describeIssue);
  throw new SpriteError(code, errors.join('; '), { details: { errors } });
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.map(String).join('.');
  const what = issue.code === 'unrecognized_keys' ? `unknown field ${issue.keys.join(', ')}` : issue.message;
  const text = what.charAt(0).toLowerCase() + what.slice(1);
  return where === '' ? text : `${where}: ${text}`;
}

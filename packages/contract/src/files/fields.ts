import { parseObject } from '../exec/messages.ts';
import { FileError } from './errors.ts';
import { resolvePath } from './paths.ts';

/** Parameters of a file request, from its query and its JSON body; where both name one the body wins. */
export type FileFields = { get(name: string): unknown };

const largestId = 2 ** 32 - 2;
const permissionBits = 0o7777;

/** Reads parameters from a query and a body that may be empty. Throws `EINVAL` for a body that is no JSON object. */
export function toFileFields(query: URLSearchParams, body: string): FileFields {
  const members = body.trim() === '' ? {} : parseObject(body);
  if (members === undefined) throw new FileError('EINVAL', '', 'the body must be a JSON object');
  return {
    get: (name) => (Object.hasOwn(members, name) ? members[name] : undefined) ?? query.get(name) ?? undefined,
  };
}

/** An absolute path from field `name` and the working directory. */
export function readPath(fields: FileFields, name = 'path'): string {
  return resolvePath(readText(fields, name) ?? '', readText(fields, 'workingDir') || undefined);
}

export function readText(fields: FileFields, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(name, value, 'text');
}

export function readFlag(fields: FileFields, name: string): boolean {
  const value = fields.get(name);
  if (value === undefined || value === '') return false;
  if (value === true || value === 'true' || value === '1') return true;
  if (value === false || value === 'false' || value === '0') return false;
  throw invalid(name, value, 'true or false');
}

/** A byte offset or count. */
export function readOffset(fields: FileFields, name: string): number | undefined {
  const value = fields.get(name);
  if (value === undefined || value === '') return undefined;
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalid(name, value, 'a byte offset');
}

/** Permission bits: octal text, or a JSON number with their value, as Elixir sends it. */
export function readMode(fields: FileFields): number | undefined {
  const value = fields.get('mode');
  if (value === undefined || value === '') return undefined;
  const mode = typeof value === 'string' && /^(0o)?[0-7]{1,5}$/.test(value) ? octal(value) : value;
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= permissionBits) return mode;
  throw invalid('mode', value, 'octal text such as 0644');
}

/** A time as RFC 3339 text or as seconds since 1970; the answer is in `s`. */
export function readTime(fields: FileFields, name: string): number | undefined {
  const value = fields.get(name);
  if (value === undefined || value === '') return undefined;
  const seconds =
    typeof value === 'number' || /^-?\d+(\.\d+)?$/.test(String(value))
      ? Number(value)
      : Date.parse(String(value)) / 1000;
  if (Number.isFinite(seconds) && Math.abs(seconds) < 1e11) return seconds;
  throw invalid(name, value, 'a time such as 2026-07-20T10:00:00Z');
}

/** A numeric id, or the name of a user or group that the sprite is to look up. */
export function readOwner(fields: FileFields, name: string): number | string | undefined {
  const value = fields.get(name);
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && !/^\d+$/.test(value)) return value;
  const id = Number(value);
  if (Number.isSafeInteger(id) && id >= 0 && id <= largestId) return id;
  throw invalid(name, value, 'an id or a name');
}

export function invalid(name: string, value: unknown, wanted: string): FileError {
  const shown = JSON.stringify(value) ?? String(value);
  return new FileError('EINVAL', '', `bad ${name} ${shown.slice(0, 80)}: must be ${wanted}`);
}

function octal(text: string): number {
  return Number.parseInt(text.replace(/^0o/, ''), 8);
}

import { parseDurationMs } from '../duration.ts';
import { SpriteError } from '../errors.ts';

/** The terminal a TTY command gets when the client names no size. */
export const defaultTerminal = { rows: 24, cols: 80 } as const;

const largestDimension = 65_535;
const nonTtyRunAfterDisconnectMs = 10_000;

/** What to run and how, as asked for in a query or a control message. */
export type ExecCommand = {
  /** the program's arguments, the first is its own name */
  readonly argv: readonly string[];
  /** the program to execute, a path or a name looked up in PATH */
  readonly file: string;
  readonly tty: boolean;
  readonly rows: number;
  readonly cols: number;
  /** whether the client feeds standard input; a TTY command has its terminal in any case */
  readonly stdin: boolean;
  /** `KEY=VALUE` entries laid over the sprite's environment, in order */
  readonly env: readonly string[];
  readonly dir: string | undefined;
  /** how long the command may go on after its last client has gone, in `ms`; infinite = for ever */
  readonly maxRunAfterDisconnectMs: number;
};

/** A running session to join; with a cursor the replay starts at that byte of its output. */
export type ExecAttach = { readonly id: string; readonly cursor: number | undefined };

export type ExecRequest =
  | { readonly type: 'start'; readonly command: ExecCommand }
  | { readonly type: 'attach'; readonly attach: ExecAttach };

/** All values of each field, in order; a query string or the `args` of a control message. */
export type ExecFields = { getAll(name: string): readonly string[] };

/**
 * Reads the parameters of an exec. An id (from the path, `id` or `session_id`) wins over `cmd`; without both it is `bash`.
 * Fields it does not know are ignored, since clients send hints of their own (`cc`). Throws `invalid_request`.
 * Spec section 5.1.
 */
export function parseExecRequest(fields: ExecFields, pathId?: string): ExecRequest {
  const id = pathId ?? first(fields, 'id') ?? first(fields, 'session_id');
  if (id !== undefined && id !== '') {
    return { type: 'attach', attach: { id, cursor: parseCursor(first(fields, 'cursor')) } };
  }
  return { type: 'start', command: parseExecCommand(fields) };
}

/** Reads the parameters of a command to start; ids are not looked at. Throws `invalid_request`. */
export function parseExecCommand(fields: ExecFields): ExecCommand {
  const cmd = fields.getAll('cmd');
  const file = first(fields, 'path') || cmd[0] || 'bash';
  const argv = cmd.length === 0 ? [file] : [...cmd];
  const tty = parseBoolean('tty', first(fields, 'tty'), false);
  const env = fields.getAll('env');
  const dir = first(fields, 'dir') || undefined;
  for (const value of [file, ...argv, dir ?? '']) refuseNul(value);
  for (const entry of env) checkEnvEntry(entry);
  return {
    argv,
    file,
    tty,
    rows: parseDimension('rows', first(fields, 'rows'), defaultTerminal.rows),
    cols: parseDimension('cols', first(fields, 'cols'), defaultTerminal.cols),
    stdin: parseBoolean('stdin', first(fields, 'stdin'), tty),
    env,
    dir,
    maxRunAfterDisconnectMs: parseMaxRun(fields, tty),
  };
}

/** Writes a command as query parameters, the way every official client does. */
export function formatExecCommand(
  command: Partial<ExecCommand> & { readonly argv: readonly string[] },
): URLSearchParams {
  const query = new URLSearchParams();
  for (const arg of command.argv) query.append('cmd', arg);
  query.set('path', command.file ?? command.argv[0] ?? 'bash');
  if (command.tty === true) {
    query.set('tty', 'true');
    query.set('rows', String(command.rows ?? defaultTerminal.rows));
    query.set('cols', String(command.cols ?? defaultTerminal.cols));
  }
  if (command.stdin !== undefined) query.set('stdin', String(command.stdin));
  for (const entry of command.env ?? []) query.append('env', entry);
  if (command.dir !== undefined) query.set('dir', command.dir);
  const maxRunMs = command.maxRunAfterDisconnectMs;
  if (maxRunMs !== undefined)
    query.set('max_run_after_disconnect', Number.isFinite(maxRunMs) ? `${maxRunMs}ms` : '0');
  return query;
}

/**
 * Brings a terminal's size into what the kernel takes: at most 65535 in each direction. Undefined, so to be
 * ignored, when a value is no positive integer.
 */
export function clampTerminal(
  rows: unknown,
  cols: unknown,
): { readonly rows: number; readonly cols: number } | undefined {
  if (!isPositiveInteger(rows) || !isPositiveInteger(cols)) return undefined;
  return { rows: Math.min(rows, largestDimension), cols: Math.min(cols, largestDimension) };
}

function first(fields: ExecFields, name: string): string | undefined {
  return fields.getAll(name)[0];
}

function parseMaxRun(fields: ExecFields, tty: boolean): number {
  const detachable = parseBoolean('detachable', first(fields, 'detachable'), false);
  const text = first(fields, 'max_run_after_disconnect');
  if (text === undefined || text === '')
    return tty || detachable ? Number.POSITIVE_INFINITY : nonTtyRunAfterDisconnectMs;
  const ms = parseDurationMs(text);
  if (ms === undefined)
    throw invalid('max_run_after_disconnect', text, 'a duration such as 10s, or 0 for no limit');
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}

function parseBoolean(name: string, text: string | undefined, byDefault: boolean): boolean {
  if (text === undefined || text === '') return byDefault;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalid(name, text, 'true or false');
}

function parseDimension(name: string, text: string | undefined, byDefault: number): number {
  if (text === undefined || text === '') return byDefault;
  if (!/^\d+$/.test(text)) throw invalid(name, text, `a whole number up to ${largestDimension}`);
  return Math.min(Number(text), largestDimension) || byDefault;
}

function parseCursor(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const cursor = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(cursor)) throw invalid('cursor', text, 'a byte offset');
  return cursor;
}

function checkEnvEntry(entry: string): void {
  if (entry.indexOf('=') < 1) throw invalid('env', entry, 'KEY=VALUE');
  refuseNul(entry);
}

function refuseNul(value: string): void {
  if (value.includes('\0')) throw invalid('value', value, 'text without a NUL byte');
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function invalid(name: string, value: string, wanted: string): SpriteError {
  return new SpriteError(
    'invalid_request',
    `bad ${name} ${JSON.stringify(value.slice(0, 80))}: must be ${wanted}`,
  );
}

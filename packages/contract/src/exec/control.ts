import { SpriteError } from '../errors.ts';
import type { ExecFields } from './command.ts';
import { parseObject } from './messages.ts';

/** Stands before the JSON of every control message; other text on the socket belongs to the operation. */
export const controlPrefix = 'control:';

/** A request to begin an operation on a control socket. */
export type OpStart = {
  readonly type: 'op.start';
  readonly op: string;
  readonly args: Readonly<Record<string, unknown>>;
};

/** The answers of a server on a control socket. */
export type ControlAnswer =
  | { readonly type: 'op.complete'; readonly args: { readonly exitCode: number } }
  | { readonly type: 'op.error'; readonly args: { readonly error: string } };

/** Reads a control message from a client; undefined for text without the prefix, which is ignored while idle. */
export function parseOpStart(text: string): OpStart | undefined {
  if (!text.startsWith(controlPrefix)) return undefined;
  const value = parseObject(text.slice(controlPrefix.length));
  const type = value?.type;
  if (type !== 'op.start') {
    throw new SpriteError(
      'invalid_request',
      `bad control message of type ${JSON.stringify(type ?? null)}: must be op.start`,
    );
  }
  const args = value?.args;
  return {
    type,
    op: String(value?.op ?? ''),
    args: typeof args === 'object' && args !== null && !Array.isArray(args) ? { ...args } : {},
  };
}

/** What Go asks for without the prefix on a control socket: a connection, or an operation on files. Spec section 8.5. */
export type BareStart =
  | { readonly type: 'proxy'; readonly host: unknown; readonly port: unknown }
  | { readonly type: 'files'; readonly op: string };

/** Reads a request without the prefix; undefined for anything else. */
export function parseBareStart(text: string): BareStart | undefined {
  const value = parseObject(text);
  const op = value?.op;
  if (value?.type === 'op.start' && typeof op === 'string' && op.startsWith('fs.'))
    return { type: 'files', op };
  if (value?.type !== 'start' || value.operation !== 'proxy') return undefined;
  const { params } = value;
  const { host, port } = { host: undefined, port: undefined, ...(typeof params === 'object' ? params : {}) };
  return { type: 'proxy', host, port };
}

/** Whether the client lets go of the connection that a bare start has made. */
export function isRelease(text: string): boolean {
  return parseObject(text)?.type === 'release';
}

/** Writes a control message of a client. */
export function formatOpStart(op: string, args: Readonly<Record<string, unknown>>): string {
  return controlPrefix + JSON.stringify({ type: 'op.start', op, args });
}

/** Writes a control message of a server. */
export function formatControlAnswer(answer: ControlAnswer): string {
  return controlPrefix + JSON.stringify(answer);
}

/** Makes the `args` of an op.start readable like a query: scalars become one text, arrays several. Spec section 8.1. */
export function toExecFields(args: Readonly<Record<string, unknown>>): ExecFields {
  return {
    getAll(name) {
      const value = Object.hasOwn(args, name) ? args[name] : undefined;
      if (value === undefined || value === null) return [];
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      return list.map((item) => toText(name, item));
    },
  };
}

function toText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new SpriteError('invalid_request', `bad ${name} in op.start: must be text, a number or a boolean`);
}

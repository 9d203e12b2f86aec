import { SpriteError } from '../errors.ts';

/** What a service is: a program, and how to run it. Spec section 11.1. */
export type ServiceDefinition = {
  /** the program, a path or a name looked up in PATH */
  readonly cmd: string;
  readonly args: readonly string[];
  /** laid over the sprite's environment */
  readonly env: Readonly<Record<string, string>>;
  /** services that are started before this one */
  readonly needs: readonly string[];
  /** working directory; the user's home without one */
  readonly dir?: string;
  /** port that the sprite's URL leads to; one service at most has one */
  readonly http_port?: number;
  /** account to run as; `sprite` without one */
  readonly user?: string;
};

/** Rules for the names of services; the name is part of its log file's name. */
export const serviceNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** What `POST /services/signal` takes away from the names. */
const reservedName = 'signal';

const most = { args: 1000, env: 1000, needs: 50, textLength: 131_072 } as const;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const userPattern = /^[a-z_][a-z0-9_-]{0,31}$/;

type Fields = Readonly<Record<string, unknown>>;

const known: ReadonlySet<string> = new Set([
  'name',
  'cmd',
  'args',
  'env',
  'needs',
  'dir',
  'http_port',
  'httpPort',
  'user',
]);

/** Checks the name of a service to be made. Throws `invalid_request`. */
export function parseServiceName(name: unknown): string {
  if (typeof name !== 'string' || !serviceNamePattern.test(name)) {
    throw bad(
      'name',
      name,
      'must have 1 to 63 letters, digits, dots, hyphens and underscores and begin with a letter or digit',
    );
  }
  if (name === reservedName) throw bad('name', name, 'is a part of the API; choose another name');
  return name;
}

/**
 * Reads the definition of service `name` from a request's body or from disk. Absent and null are the same. Unknown
 * fields are refused. Throws `invalid_request` naming the field and the remedy.
 */
export function parseServiceDefinition(name: string, value: unknown): ServiceDefinition {
  if (!isFields(value)) throw new SpriteError('invalid_request', 'the body must be a json object with a cmd');
  const unknown = Object.keys(value).find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw bad('field', unknown, `is not known; fields are ${[...known].join(', ')}`);
  }
  if (isGiven(value.name) && value.name !== name)
    throw bad('name', value.name, `must be ${name}, as in the path`);
  return {
    cmd: parseCmd(value.cmd),
    args: parseArgs(value.args),
    env: parseEnv(value.env),
    needs: parseNeeds(name, value.needs),
    ...(isGiven(value.dir) && value.dir !== '' ? { dir: parseDir(value.dir) } : {}),
    ...parsePort(value.http_port ?? value.httpPort),
    ...(isGiven(value.user) && value.user !== '' ? { user: parseUser(value.user) } : {}),
  };
}

function parseCmd(value: unknown): string {
  if (!isGiven(value) || value === '') {
    throw new SpriteError('invalid_request', 'cmd is missing: name the program to run');
  }
  return parseText('cmd', value, 4096);
}

function parseArgs(value: unknown): readonly string[] {
  return parseList('args', value, most.args).map((item) => parseText('args', item, most.textLength));
}

function parseEnv(value: unknown): Readonly<Record<string, string>> {
  if (!isGiven(value)) return {};
  if (!isFields(value)) throw bad('env', value, 'must be an object of names and values');
  const entries = Object.entries(value);
  if (entries.length > most.env) {
    throw new SpriteError(
      'invalid_request',
      `env has ${entries.length} entries; at most ${most.env} are allowed`,
    );
  }
  return Object.fromEntries(
    entries.map(([key, text]) => {
      if (!variablePattern.test(key)) {
        throw bad(
          'env name',
          key,
          'must consist of letters, digits and underscores and not begin with a digit',
        );
      }
      return [key, parseText(`env ${key.slice(0, 80)}`, text, most.textLength)];
    }),
  );
}

function parseNeeds(name: string, value: unknown): readonly string[] {
  const needs = parseList('needs', value, most.needs).map(parseServiceName);
  if (needs.includes(name)) throw bad('needs', name, 'is the service itself');
  return [...new Set(needs)];
}

function parseDir(value: unknown): string {
  const dir = parseText('dir', value, 4096);
  if (!dir.startsWith('/')) throw bad('dir', dir, 'must be an absolute path');
  return dir;
}

function parsePort(value: unknown): { readonly http_port?: number } {
  if (!isGiven(value)) return {};
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 65_535) {
    throw bad('http_port', value, 'must be a whole number from 1 to 65535');
  }
  return { http_port: value };
}

function parseUser(value: unknown): string {
  if (typeof value === 'string' && userPattern.test(value)) return value;
  throw bad('user', value, 'must be the name of an account of the sprite');
}

function parseList(field: string, value: unknown, mostItems: number): readonly unknown[] {
  if (!isGiven(value)) return [];
  if (!Array.isArray(value)) throw bad(field, value, 'must be a list of texts');
  if (value.length <= mostItems) return value;
  throw new SpriteError(
    'invalid_request',
    `${field} has ${value.length} items; at most ${mostItems} are allowed`,
  );
}

function parseText(field: string, value: unknown, mostLength: number): string {
  if (typeof value !== 'string') throw bad(field, value, 'must be text');
  if (value.includes('\0')) throw bad(field, value, 'must not contain NUL');
  if (value.length > mostLength) throw bad(field, value, `must have at most ${mostLength} characters`);
  return value;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(field: string, value: unknown, remedy: string): SpriteError {
  const shown = (JSON.stringify(value) ?? 'undefined').slice(0, 80);
  return new SpriteError('invalid_request', `bad ${field} ${shown}: ${remedy}`);
}

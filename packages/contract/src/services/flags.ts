import { SpriteError } from '../errors.ts';
import { parseServiceDefinition, type ServiceDefinition } from './definition.ts';

/** A service as command lines describe it; what may be given several times is a list. Spec section 16.2. */
export type ServiceFlags = {
  readonly cmd?: string;
  /** separated by commas */
  readonly args?: readonly string[];
  /** `KEY=value`, separated by commas */
  readonly env?: readonly string[];
  readonly dir?: string;
  /** separated by commas */
  readonly needs?: readonly string[];
  readonly httpPort?: string;
  readonly user?: string;
};

/**
 * Puts a service together from flags and the words behind `--`, which are a command line and may hold commas. Throws
 * `invalid_request`.
 */
export function parseServiceFlags(
  name: string,
  flags: ServiceFlags,
  words: readonly string[],
): ServiceDefinition {
  if (words.length > 0 && (flags.cmd !== undefined || flags.args !== undefined)) {
    throw new SpriteError('invalid_request', 'name the program by --cmd and --args or behind --, not both');
  }
  const [word, ...rest] = words;
  return parseServiceDefinition(name, {
    cmd: flags.cmd ?? word,
    args: flags.args === undefined ? rest : flags.args.flatMap(split),
    env: parseVariables(flags.env ?? []),
    dir: flags.dir,
    needs: flags.needs?.flatMap(split),
    http_port: flags.httpPort === undefined ? undefined : toNumber(flags.httpPort),
    user: flags.user,
  });
}

function split(list: string): readonly string[] {
  return list.split(',').filter((item) => item !== '');
}

/** A comma begins another variable only where a name and `=` follow. */
function parseVariables(lists: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    lists.flatMap((list) =>
      list.split(/,(?=[A-Za-z_][A-Za-z0-9_]*=)/).map((entry) => {
        const at = entry.indexOf('=');
        if (at > 0) return [entry.slice(0, at), entry.slice(at + 1)] as const;
        throw new SpriteError(
          'invalid_request',
          `bad env ${JSON.stringify(entry.slice(0, 80))}: must be KEY=value`,
        );
      }),
    ),
  );
}

function toNumber(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

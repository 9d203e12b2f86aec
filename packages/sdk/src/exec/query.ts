import type { SpawnOptions } from '../options.ts';

/** A program and its arguments. */
export type CommandLine = { readonly file: string; readonly args: readonly string[] };

/** The query of a direct exec connection. Spec section 5.1. */
export function execQuery(command: CommandLine, options: SpawnOptions): URLSearchParams {
  const query = commandQuery(command, options);
  if (options.stdin === false) query.set('stdin', 'false');
  else query.set('stdin', 'true');
  if (options.tty === true) {
    query.set('tty', 'true');
    if (options.rows !== undefined) query.set('rows', String(options.rows));
    if (options.cols !== undefined) query.set('cols', String(options.cols));
  }
  if (options.detachable === true) query.set('detachable', 'true');
  if (options.maxRunAfterDisconnect !== undefined) {
    query.set('max_run_after_disconnect', options.maxRunAfterDisconnect);
  }
  return query;
}

/** The part of the query that plain HTTP shares. */
export function commandQuery(
  command: CommandLine,
  options: Pick<SpawnOptions, 'cwd' | 'env'>,
): URLSearchParams {
  const query = new URLSearchParams();
  for (const part of [command.file, ...command.args]) query.append('cmd', part);
  query.set('path', command.file);
  if (options.cwd !== undefined) query.set('dir', options.cwd);
  for (const entry of envEntries(options)) query.append('env', entry);
  return query;
}

/** The query of an attach. Spec section 5.9. */
export function attachQuery(options: SpawnOptions): URLSearchParams {
  const query = new URLSearchParams({ stdin: options.stdin === false ? 'false' : 'true' });
  if (options.cursor !== undefined) query.set('cursor', String(options.cursor));
  return query;
}

/** `op.start` arguments of a command on a control connection; its values are text. Spec section 8.1. */
export function controlArgs(command: CommandLine, options: SpawnOptions): Record<string, string | string[]> {
  return {
    cmd: [command.file, ...command.args],
    env: envEntries(options),
    stdin: options.stdin === false ? 'false' : 'true',
    ...(options.cwd === undefined ? {} : { dir: options.cwd }),
    ...(options.tty === true ? { tty: 'true' } : {}),
    ...(options.rows === undefined ? {} : { rows: String(options.rows) }),
    ...(options.cols === undefined ? {} : { cols: String(options.cols) }),
    ...(options.detachable === true ? { detachable: 'true' } : {}),
    ...(options.maxRunAfterDisconnect === undefined
      ? {}
      : { max_run_after_disconnect: options.maxRunAfterDisconnect }),
  };
}

function envEntries(options: Pick<SpawnOptions, 'env'>): string[] {
  return Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value}`);
}

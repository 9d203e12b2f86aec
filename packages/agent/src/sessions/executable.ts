import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

const largestReasonLength = 2000;

/** Exit codes of a command that could not be started, as shells use them. */
export const refusalCodes = { cannotExecute: 126, notFound: 127 } as const;

/** A command that cannot be started: what its client reads on stderr, and its exit code. */
export type Refusal = { readonly type: 'refused'; readonly reason: string; readonly exitCode: number };

export type Lookup = { readonly type: 'found'; readonly path: string } | Refusal;

/** Checks that a directory can be entered; a command that names another one exits with 126. */
export function checkDirectory(dir: string): Refusal | undefined {
  try {
    if (!statSync(dir).isDirectory()) return refuse(`cannot enter directory ${dir}: not a directory`);
    accessSync(dir, constants.X_OK);
    return undefined;
  } catch (error) {
    return refuse(`cannot enter directory ${dir}: ${describe(error)}`);
  }
}

/**
 * Finds the program that `file` names, as the user this is called as: a name without `/` in the directories of
 * `searchPath`, any other relative to `dir`.
 */
export function findExecutable(file: string, searchPath: string, dir: string): Lookup {
  if (file.includes('/')) return check(resolve(dir, file), file);
  let refusal: Refusal = refuse(`${file}: command not found`, refusalCodes.notFound);
  for (const folder of searchPath.split(':')) {
    const lookup = check(resolve(dir, folder, file), file);
    if (lookup.type === 'found') return lookup;
    if (lookup.exitCode === refusalCodes.cannotExecute) refusal = lookup;
  }
  return refusal;
}

function check(path: string, file: string): Lookup {
  try {
    if (statSync(path).isDirectory()) return refuse(`${file}: is a directory`);
    accessSync(path, constants.X_OK);
    return { type: 'found', path };
  } catch (error) {
    const missing = hasCode(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
    return refuse(
      `${file}: ${describe(error)}`,
      missing ? refusalCodes.notFound : refusalCodes.cannotExecute,
    );
  }
}

/** Makes a refusal; the exit code is 126 unless told otherwise. */
export function refuse(reason: string, exitCode: number = refusalCodes.cannotExecute): Refusal {
  return { type: 'refused', reason: reason.slice(0, largestReasonLength), exitCode };
}

function describe(error: unknown): string {
  const texts: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    ENOTDIR: 'not a directory',
    EACCES: 'permission denied',
    ELOOP: 'too many levels of symbolic links',
    ENAMETOOLONG: 'name too long',
  };
  return hasCode(error) ? (texts[error.code] ?? error.code) : 'cannot be read';
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

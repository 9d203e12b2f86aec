import { FileError } from './errors.ts';

/** Where relative paths start when a client names no working directory. Spec section 10. */
const defaultWorkingDir = '/home/sprite';
/** The kernel's limit for one path, in bytes. */
const longestPath = 4096;

/** Makes a path absolute against `workingDir` and takes `.` and `..` out of it. Throws `EINVAL`. */
export function resolvePath(path: string, workingDir: string = defaultWorkingDir): string {
  if (path === '') throw new FileError('EINVAL', '', 'no path given');
  const parts: string[] = [];
  for (const part of joinAbsolute(defaultWorkingDir, workingDir, path).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const resolved = `/${parts.join('/')}`;
  if (resolved.includes('\0') || resolved.length > longestPath) {
    throw new FileError('EINVAL', resolved.slice(0, 80), 'the path is too long or holds a NUL');
  }
  return resolved;
}

/** Puts paths behind one another; an absolute one starts anew. */
function joinAbsolute(...paths: readonly string[]): string {
  return paths.reduce((base, path) => (path.startsWith('/') ? path : `${base}/${path}`));
}

/** The part of an absolute path before its last slash. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** The part of a path behind its last slash; empty for the root. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * A path or name with one character for each byte, since the kernel's names need not be UTF-8. It is what the `latin1`
 * encoding of `node:fs` gives.
 */
export type BytePath = string;

/** The bytes of a path that a client wrote as text. */
export function toBytes(path: string): BytePath {
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** What `node:fs` takes. */
export function toKernel(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** The path as clients see it; what is no UTF-8 becomes U+FFFD. */
export function toText(path: BytePath): string {
  return isPlain(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}

/** Whether `toText` would lose bytes. */
export function isUtf8(path: BytePath): boolean {
  return isPlain(path) || toBytes(toText(path)) === path;
}

function isPlain(path: BytePath): boolean {
  return !/[^\0-\x7f]/.test(path);
}

export function join(directory: BytePath, name: BytePath): BytePath {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

import { unlinkSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';

/** Longer names do not fit beside what is added. */
const longestKept = 200;

/** A hidden name beside `name` that nobody else has. */
export function pickTemporaryName(name: BytePath): BytePath {
  const random = Math.floor(Math.random() * 2 ** 48).toString(36);
  return `.${name.slice(0, longestKept)}.${random}.part`;
}

/** Removes a name of ours; somebody may have removed it before. */
export function removeName(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or its directory is.
  }
}

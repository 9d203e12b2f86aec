import { FileError } from './errors.ts';

const longestPath = 4096;
const longestName = 255;

/**
 * The parts of an archive entry's path, one character for each byte; none for the top itself. Whoever unpacks must not
 * be led elsewhere: throws `EINVAL` for an absolute path, one with `..`, and names that no file can have.
 */
export function splitArchivePath(path: Uint8Array): readonly string[] {
  const text = Array.from(path.subarray(0, longestPath + 1), (byte) => String.fromCharCode(byte)).join('');
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  const isBad =
    text.length > longestPath ||
    text.startsWith('/') ||
    parts.some((part) => part === '..' || part.includes('\0') || part.length > longestName);
  if (isBad) throw new FileError('EINVAL', text.slice(0, 80), 'an archive must not hold such a path');
  return parts;
}

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Hashes a file of this machine, or its first `length` bytes; more can be added to the answer. */
export async function hashFile(file: string, length: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (length === 0) return hash;
  for await (const chunk of createReadStream(file, { end: length - 1 })) hash.update(chunk);
  return hash;
}

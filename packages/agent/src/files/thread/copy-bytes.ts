import { readSync, writeSync } from 'node:fs';
import type { Pace } from './context.ts';

const bufferBytes = 256 * 1024;

/** Copies all bytes of one open file to another, both from their beginning, and tells how many there were. */
export async function copyBytes(from: number, to: number, pace: Pace): Promise<number> {
  const buffer = Buffer.allocUnsafe(bufferBytes);
  for (let at = 0; ; await pace.rest()) {
    const count = readSync(from, buffer, 0, bufferBytes, at);
    if (count === 0) return at;
    for (let done = 0; done < count; ) done += writeSync(to, buffer, done, count - done, at + done);
    at += count;
  }
}

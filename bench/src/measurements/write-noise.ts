import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

const blockBytes = 16 * 1024 * 1024;

/** Writes a file of so many bytes, of which no two blocks are the same; making all of it at random would take longer than copying it. */
export async function writeNoise(file: string, sizeBytes: number): Promise<void> {
  await using handle = await open(file, 'w');
  const block = randomBytes(blockBytes);
  for (let at = 0; at < sizeBytes; at += blockBytes) {
    block.writeBigUInt64LE(BigInt(at));
    await handle.write(block, 0, Math.min(blockBytes, sizeBytes - at), at);
  }
}

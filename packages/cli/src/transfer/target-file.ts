import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../cli-error.ts';

/** Writes bytes to a file that appears whole or not at all; one that is there stays unless `force` is set. */
export async function writeWhole(
  file: string,
  force: boolean,
  write: (to: { write(bytes: Uint8Array): Promise<void> }) => Promise<void>,
): Promise<void> {
  const draft = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${randomBytes(4).toString('hex')}.part`,
  );
  try {
    await using handle = await open(draft, 'wx', 0o600);
    await write({ write: async (bytes) => void (await handle.writeFile(bytes)) });
    await handle.sync();
    if (force) await rename(draft, file);
    else await addName(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/** A link, unlike a rename, never replaces what came there meanwhile. */
async function addName(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw exists(file);
    throw error;
  }
}

/** What is said of a file that is there already. */
export function exists(file: string): UsageError {
  return new UsageError(`${file} exists already; choose another name, or replace it with --force`);
}

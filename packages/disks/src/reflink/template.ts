import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, syncDirectory } from '@sprites/linux';
import { createUnfinishedName } from '../unfinished.ts';

/** Part of the file's name: raise it when the format changes, and old templates are not used any more. */
const formatVersion = 1;

/**
 * Returns the formatted empty disk of this size, making it on first use.
 *
 * `-m 0`: nobody is served by blocks only root may use. A 64 MiB journal bounds what each clone comes to own as
 * its journal goes round. mke2fs discards a file's blocks first and so marks inode tables as zeroed: the kernel
 * has nothing to initialise in a clone. The two directories are the overlay's, owned by the sprite's root.
 */
export async function makeTemplate(
  directory: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const file = join(directory, `${sizeBytes}-v${formatVersion}.ext4`);
  if (await isThere(file)) return file;
  const unfinished = join(directory, createUnfinishedName());
  const content = `${unfinished}-content`;
  try {
    await mkdir(join(content, 'upper'), { recursive: true, mode: 0o755 });
    await mkdir(join(content, 'work'), { mode: 0o755 });
    await using handle = await open(unfinished, 'wx', 0o600);
    await handle.truncate(sizeBytes);
    const format = ['mkfs.ext4', '-q', '-F', '-m', '0', '-J', `size=${journalMib(sizeBytes)}`] as const;
    await runTool([...format, '-E', 'root_owner=0:0', '-d', content, unfinished], { signal });
    await handle.sync();
    await rename(unfinished, file);
    await syncDirectory(directory);
    return file;
  } finally {
    await rm(content, { recursive: true, force: true });
    await rm(unfinished, { force: true });
  }
}

function journalMib(sizeBytes: number): number {
  return sizeBytes >= 1024 ** 3 ? 64 : 8;
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

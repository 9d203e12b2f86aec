import { statfs } from 'node:fs/promises';
import { attachLoop, type DetachedMount, mountDetached } from '@sprites/linux';

/** The files of a disk image, mounted for this process alone. */
export type OpenTree = AsyncDisposable & {
  /** top of what the sprite changed */
  readonly root: Buffer;
  readonly usedBytes: number;
  readonly usedInodes: number;
};

/**
 * Opens the files of an image for reading. The image must be a copy that nobody else uses: what its journal holds is
 * written to it first, and where that fails it is read as it is.
 */
export async function openTree(file: string): Promise<OpenTree> {
  const mounted = await mountReadable(file);
  try {
    const { blocks, bfree, bsize, files, ffree } = await statfs(mounted.path);
    return {
      root: Buffer.from(`${mounted.path}/upper`),
      usedBytes: (blocks - bfree) * bsize,
      usedInodes: files - ffree,
      [Symbol.asyncDispose]: () => mounted.close(),
    };
  } catch (error) {
    await mounted.close();
    throw error;
  }
}

/** Opens an image for writing; what was written is in the file when it is closed. */
export async function mountWritable(file: string): Promise<DetachedMount> {
  await using device = await attachLoop({ file });
  const options = { discard: true, errors: 'remount-ro' } as const;
  return await mountDetached({ source: device.path, type: 'ext4', readOnly: false, options });
}

async function mountReadable(file: string): Promise<DetachedMount> {
  await using device = await attachLoop({ file });
  const what = { source: device.path, type: 'ext4' } as const;
  try {
    return await mountDetached({ ...what, options: { errors: 'continue' } });
  } catch {
    // a journal that cannot be followed: what is on the disk without it may be all there
    return await mountDetached({ ...what, options: { errors: 'continue', noload: true } });
  }
}

import { constants } from 'node:fs';
import type { ReadRequest } from '@sprites/contract/files';
import { toBytes, toKernel } from './byte-path.ts';
import type { OperationContext } from './context.ts';
import { openRegularFile } from './open-checked.ts';

/** A file open for reading, and what its answer's headers say. The receiver closes `fd`. */
export type OpenedRead = {
  readonly fd: number;
  /** 0 also for files of the kernel, whose size is known only when they are read */
  readonly size: number;
  readonly modTimeMs: number;
  /** changes whenever the file does */
  readonly tag: string;
};

/** Opens a regular file for reading. */
export async function openRead(request: ReadRequest, { act }: OperationContext): Promise<OpenedRead> {
  const path = toBytes(request.path);
  const { fd, stats } = act(request.asRoot, () => openRegularFile(toKernel(path), path, constants.O_RDONLY));
  const { size, mtimeMs, ino, ctimeMs } = stats;
  return {
    fd,
    size,
    modTimeMs: mtimeMs,
    tag: `"${[ino, size, ctimeMs].map((n) => n.toString(16)).join('-')}"`,
  };
}

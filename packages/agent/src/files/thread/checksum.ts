import { closeSync, constants, readSync } from 'node:fs';
import type { ChecksumRequest } from '@sprites/contract/files';
import { toBytes, toKernel } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { openRegularFile } from './open-checked.ts';

const bufferBytes = 256 * 1024;

/** The answer to a request for a checksum; `size` is how many bytes went into it. */
export type Checksum = { readonly path: string; readonly size: number; readonly sha256: string };

/** Reads a file, or its beginning, and tells the SHA-256. */
export async function checksum(request: ChecksumRequest, context: OperationContext): Promise<Checksum> {
  // Loaded when it is wanted: it costs four megabytes, which end with the thread.
  const { createHash } = await import('node:crypto');
  const path = toBytes(request.path);
  const { fd } = context.act(request.asRoot, () => openRegularFile(toKernel(path), path, constants.O_RDONLY));
  try {
    const pace = new Pace(context);
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(bufferBytes);
    const wanted = request.length ?? Number.POSITIVE_INFINITY;
    let size = 0;
    for (let count = -1; count !== 0 && size < wanted; await pace.rest()) {
      count = readSync(fd, buffer, 0, Math.min(bufferBytes, wanted - size), size);
      hash.update(buffer.subarray(0, count));
      size += count;
    }
    return { path: request.path, size, sha256: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}

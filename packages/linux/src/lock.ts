import { open } from 'node:fs/promises';
import { defineCall, hasCode } from './syscall.ts';

const flock = defineCall('flock', 'int', ['int', 'int']);
const lockExclusiveNonBlocking = 2 | 4;

/** A held lock; it also ends with the process. */
export interface FileLock extends AsyncDisposable {
  close(): Promise<void>;
}

/** Takes the exclusive lock of `path`, made if missing, or answers undefined when another holder has it. */
export async function tryLockFile(path: string): Promise<FileLock | undefined> {
  const handle = await open(path, 'a', 0o600);
  try {
    await flock(handle.fd, lockExclusiveNonBlocking);
  } catch (error) {
    await handle.close();
    if (hasCode(error, 'EAGAIN')) return undefined;
    throw error;
  }
  const close = (): Promise<void> => handle.close();
  return { close, [Symbol.asyncDispose]: close };
}

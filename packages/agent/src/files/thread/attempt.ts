import { FileError, isFileErrorCode } from '@sprites/contract/files';
import { type BytePath, toText } from './byte-path.ts';

/** Makes of what `node:fs` threw about `path` an error for clients; their path, not the one the kernel got. */
export function toFileError(error: unknown, path: BytePath): unknown {
  if (error instanceof FileError || !(error instanceof Error) || !('code' in error)) return error;
  if (!isFileErrorCode(error.code)) return new FileError('EIO', toText(path), error.message);
  const operation = 'syscall' in error && typeof error.syscall === 'string' ? error.syscall : '';
  return new FileError(error.code, toText(path), undefined, operation);
}

/** Runs `action`; what it throws becomes an error about `path`. */
export function attempt<T>(path: BytePath, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw toFileError(error, path);
  }
}

/** Whether an operation failed for one of these reasons. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

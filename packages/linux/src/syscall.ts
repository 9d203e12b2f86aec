import koffi from 'koffi';

/** A system call that failed, shaped like the errors of `node:fs`. */
export class SystemCallError extends Error {
  /** symbolic errno, e.g. `EBUSY` */
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, subject: string) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super(`${syscall}${subject === '' ? '' : ` ${subject}`}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

type Argument = string | number | bigint | Uint8Array | null;

/** A function of the C library that answers -1 and errno on failure. */
export type SystemCall = (...args: readonly Argument[]) => Promise<number>;

// EWOULDBLOCK and EOPNOTSUPP are second names of the same numbers
const errnoNames = new Map(
  Object.entries(koffi.os.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'EOPNOTSUPP')
    .map(([name, value]) => [value, name]),
);
const libc = koffi.load('libc.so.6');

/**
 * Declares a C library function by its symbol, result and argument types. Calls run on a thread of libuv's pool, so
 * that a slow kernel never stops the event loop. `label` names it in errors when the symbol is `syscall` or `ioctl`.
 */
export function defineCall(
  symbol: string,
  result: 'int' | 'long',
  types: readonly string[],
  label: string = symbol,
): SystemCall {
  const call = libc.func(symbol, result, [...types]);
  return (...args) =>
    new Promise<number>((resolve, reject) => {
      call.async(...args, (error: unknown, value: unknown) => {
        // koffi keeps the pool thread's errno for the duration of this callback
        const errno = koffi.errno();
        if (error !== null && error !== undefined) reject(error);
        else if (typeof value !== 'number') reject(new TypeError(`${label} answered no number`));
        else if (value < 0) reject(new SystemCallError(label, errno, subjectOf(args)));
        else resolve(value);
      });
    });
}

/** True when `error` is a failed system call (ours or Node's) with one of the given symbolic codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}

function subjectOf(args: readonly Argument[]): string {
  return args.filter((arg) => typeof arg === 'string' && arg !== '').join(' ');
}

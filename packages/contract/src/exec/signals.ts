import { SpriteError } from '../errors.ts';

const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};

/** A signal of Linux by its full name, `SIGTERM`, and number. */
export type Signal = { readonly name: string; readonly number: number };

/**
 * Reads a signal as the clients write it: with or without `SIG`, in any case, or its number as text.
 * Throws `invalid_signal` when no such signal exists. Spec section 1.6.
 */
export function parseSignal(text: string): Signal {
  const bare = text.trim().toUpperCase().replace(/^SIG/, '');
  const byName = Object.hasOwn(numbers, bare) ? numbers[bare] : undefined;
  if (byName !== undefined) return { name: `SIG${bare}`, number: byName };
  const byNumber = /^\d{1,2}$/.test(bare)
    ? Object.entries(numbers).find(([, number]) => number === Number(bare))
    : undefined;
  if (byNumber !== undefined) return { name: `SIG${byNumber[0]}`, number: byNumber[1] };
  throw new SpriteError(
    'invalid_signal',
    `unknown signal ${JSON.stringify(text.slice(0, 40))}; use a name such as SIGTERM`,
  );
}

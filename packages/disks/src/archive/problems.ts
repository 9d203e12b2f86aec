import type { ExportProblem } from '@sprites/contract/export';
import { printableBytes } from './bytes-text.ts';

const mostKept = 1000;
/** EIO, EBADMSG and EUCLEAN, as Node counts them; it has no names for the last two. */
const damageNumbers = new Set([-5, -74, -117]);

/** Notes what an export could not read; keeps the first of it and counts the rest. */
export class Problems {
  readonly #kept: ExportProblem[] = [];
  #count: number;

  /** Begins with what is known already. */
  constructor(known: readonly ExportProblem[]) {
    this.#kept.push(...known.slice(0, mostKept));
    this.#count = known.length;
  }

  get kept(): readonly ExportProblem[] {
    return this.#kept;
  }

  get count(): number {
    return this.#count;
  }

  add(tree: string, path: Buffer, reason: unknown, detail = ''): void {
    this.#count++;
    if (this.#kept.length >= mostKept) return;
    this.#kept.push({
      tree,
      path: `/${printableBytes(path)}`.slice(0, 4000),
      reason: describe(reason) + detail,
    });
  }
}

/** A failure to read, in a few words without paths of the host. */
export function describe(reason: unknown): string {
  if (typeof reason === 'string') return reason;
  if (!(reason instanceof Error)) return 'it cannot be read';
  if ('errno' in reason && damageNumbers.has(Number(reason.errno))) return 'it is damaged on the disk';
  const code = 'code' in reason ? String(reason.code) : reason.name;
  return `it cannot be read (${code.slice(0, 60)})`;
}

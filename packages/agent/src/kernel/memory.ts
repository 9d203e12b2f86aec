import { libc } from './libc.ts';

/**
 * Gives memory that is not in use back to the kernel: collects garbage, compacts what is left and trims the C
 * library's heap. It takes some ten milliseconds, in which nothing else runs.
 */
export function releaseMemory(): void {
  // Defined only when Node was started with --expose-gc.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  libc.malloc_trim(0n);
}

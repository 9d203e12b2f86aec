/** Bytes that may pass between two collections. */
const everyBytes = 16 * 1024 * 1024;

let passedBytes = 0;

/**
 * Counts bytes that pass through the server in buffers of their own, and has the dead ones collected now and then: the
 * engine, which sees little of them in its heap, would let some 64 MiB of them pile up. Nothing happens without
 * `--expose-gc`.
 */
export function countPassed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < everyBytes) return;
  passedBytes = 0;
  void globalThis.gc?.({ type: 'minor', execution: 'sync' });
}

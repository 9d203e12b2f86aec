import { isMainThread, workerData } from 'node:worker_threads';

/** Longest wait for others before one more MiB is read, in `ms`: on a host that is never quiet, 10 GB still take less than an hour. */
const longestWaitMs = 250;

/** What the server and its thread share: 1 while somebody waits for a sprite to wake. */
export type Busy = Int32Array<SharedArrayBuffer>;

export function createBusy(): Busy {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Says whether somebody waits; when nobody does any more, the thread goes on at once. */
export function setBusy(busy: Busy, isBusy: boolean): void {
  if (Atomics.exchange(busy, 0, isBusy ? 1 : 0) === 1 && !isBusy) Atomics.notify(busy, 0);
}

/** Blocks the thread for a while when somebody waits. The kernel reads the disk at its own priority, not at the thread's. */
export function giveWay(): void {
  if (!isMainThread) Atomics.wait(workerData as Busy, 0, 1, longestWaitMs);
}

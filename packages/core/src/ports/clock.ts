/** Where time comes from, so that tests can move it. */
export interface Clock {
  /** milliseconds since the epoch */
  now(): number;
  /** resolves after `ms`, or rejects with the signal's reason */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

import { setTimeout as sleep } from 'node:timers/promises';

const mostAttempts = 6;
const firstPauseMs = 250;

/** Tries again after the connection broke, with growing pauses; what the server refuses is not tried again. */
export async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (count === mostAttempts || !isConnectionLoss(error)) throw error;
      await sleep(firstPauseMs * 2 ** (count - 1));
    }
  }
}

/** `fetch` throws a TypeError for a connection that was lost; a server that is being restarted answers 502 or 503. */
function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof TypeError) return /fetch failed|terminated|network/.test(error.message);
  return 'statusCode' in error && (error.statusCode === 502 || error.statusCode === 503);
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@sprites/core';

/** The clock of this computer; its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) });
  },
};

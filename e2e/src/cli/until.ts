import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 20;
const patienceMs = 20_000;

/** Waits for something another process does. */
export async function until(happened: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + patienceMs;
  while (!(await happened())) {
    if (Date.now() > giveUpAt) throw new Error('waited in vain');
    await sleep(pollMs);
  }
}

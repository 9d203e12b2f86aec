import { setTimeout as sleep } from 'node:timers/promises';
import type { Measurement } from '../measurement.ts';
import { pidsOfSprite, proportionalMb, residentMb } from '../memory-of.ts';

const runningCount = 10;
const knownCount = 100;

/** What a running sprite that does nothing costs, and the server that knows a hundred. */
export const memory: Measurement = {
  name: 'memory',
  title: 'memory of idle sprites and of the server',
  async run({ client, server, nextName }) {
    const names = Array.from({ length: knownCount }, nextName);
    for (const name of names) await client.createSprite(name);
    const totals: number[] = [];
    const pids: number[] = [];
    for (const name of names.slice(0, runningCount)) {
      const sprite = client.sprite(name);
      await sprite.execFile('true');
      await sleep(500);
      pids.push(...(await pidsOfSprite((await client.getSprite(name)).id ?? 'unknown')));
      totals.push(await proportionalMb(pids));
    }
    const serverMb = await residentMb(server.pid);
    for (const name of names) await client.deleteSprite(name);
    // What the first few sprites share is counted with them, so the growth from there on is what one costs.
    const [first = 0, last = 0] = [totals[1], totals.at(-1)];
    const eachMb = (last - first) / (runningCount - 2);
    return [
      {
        what: 'running idle sprite, PSS beyond shared pages',
        n: runningCount - 2,
        p50: eachMb,
        unit: 'MB',
        promise: '≤ 25 MB',
        kept: eachMb <= 25,
      },
      {
        what: `server RSS with ${knownCount} sprites known`,
        n: 1,
        p50: serverMb,
        unit: 'MB',
        promise: '≤ 200 MB',
        kept: serverMb <= 200,
      },
    ];
  },
};

import type { Measurement } from '../measurement.ts';
import { latencyRow } from '../samples.ts';

/** A new sprite until its first command has answered, and its deletion. */
export const create: Measurement = {
  name: 'create',
  title: 'create → first exec answered; delete',
  async run({ client, n, nextName }) {
    const created: number[] = [];
    const deleted: number[] = [];
    for (let index = -1; index < n; index++) {
      const startedMs = performance.now();
      const sprite = await client.createSprite(nextName());
      await sprite.execFile('true');
      const answeredMs = performance.now();
      await sprite.delete();
      if (index < 0) continue;
      created.push(answeredMs - startedMs);
      deleted.push(performance.now() - answeredMs);
    }
    return [
      latencyRow('create → first exec answered', created, { p50Ms: 350 }),
      latencyRow('delete', deleted, { p50Ms: 100 }),
    ];
  },
};

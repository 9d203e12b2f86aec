import type { Measurement } from '../measurement.ts';
import { latencyRow, quantile } from '../samples.ts';

/** A sprite with a disk but no machine until a command has answered. */
export const coldWake: Measurement = {
  name: 'cold-wake',
  title: 'restart → exec answered',
  async run({ client, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    const samples: number[] = [];
    for (let index = 0; index < n; index++) {
      const startedMs = performance.now();
      await sprite.restart();
      await sprite.execFile('true');
      samples.push(performance.now() - startedMs);
    }
    await sprite.delete();
    const row = latencyRow('restart → exec answered', samples, { p50Ms: 350 });
    return [
      {
        ...row,
        promise: 'p50 ≤ 350 ms, p99 ≤ 1 s',
        kept: row.kept === true && quantile(samples, 0.99) <= 1000,
      },
    ];
  },
};

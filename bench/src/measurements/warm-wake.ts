import type { Sprite } from '@sprites/sdk';
import type { Measurement } from '../measurement.ts';
import { latencyRow, quantile } from '../samples.ts';

/** A sprite frozen in memory until a command has answered, beside the same command awake, and the freeze itself. */
export const warmWake: Measurement = {
  name: 'warm-wake',
  title: 'warm wake → exec answered',
  async run({ client, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    const warm: number[] = [];
    const awake: number[] = [];
    const freezes: number[] = [];
    for (let index = -1; index < n; index++) {
      await sprite.sleep();
      const wakeMs = await timeExec(sprite);
      const execMs = await timeExec(sprite);
      if (index < 0) continue;
      warm.push(wakeMs);
      awake.push(execMs);
      freezes.push(await lastFreezeMs(sprite));
    }
    await sprite.delete();
    return [
      {
        ...latencyRow('warm wake → exec answered', warm),
        promise: 'p50 ≤ 15 ms, p99 ≤ 60 ms',
        kept: quantile(warm, 0.5) <= 15 && quantile(warm, 0.99) <= 60,
      },
      latencyRow('the same exec awake', awake),
      latencyRow('freeze, by the server’s own clock', freezes, { p50Ms: 5 }),
    ];
  },
};

async function timeExec(sprite: Sprite): Promise<number> {
  const startedMs = performance.now();
  await sprite.execFile('true');
  return performance.now() - startedMs;
}

/** How long the programs took to stand still, as the history has it. */
async function lastFreezeMs(sprite: Sprite): Promise<number> {
  let ms = Number.NaN;
  for await (const { type, details } of await sprite.events({ limit: 5 })) {
    if (type === 'slept') ms = Number(details.ms);
  }
  return ms;
}

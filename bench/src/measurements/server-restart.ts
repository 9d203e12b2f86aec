import { SpritesClient } from '@sprites/sdk';
import type { Measurement } from '../measurement.ts';
import { quantile } from '../samples.ts';

const knownCount = 100;
const runningCount = 20;
const restarts = 5;

/** A server that was stopped until it is ready again, with many sprites known and some of them running. */
export const serverRestart: Measurement = {
  name: 'server-restart',
  title: `server restart, ${knownCount} sprites known and ${runningCount} running`,
  async run(bench) {
    await using server = await bench.startServer({ SPRITES_WARM_AFTER_S: 'never' });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const names = Array.from({ length: knownCount }, bench.nextName);
    for (const name of names) await client.createSprite(name);
    for (const name of names.slice(0, runningCount)) await client.sprite(name).execFile('true');
    const samples: number[] = [];
    for (let index = 0; index < restarts; index++) {
      await server.stop();
      const startedMs = performance.now();
      await server.restart();
      samples.push((performance.now() - startedMs) / 1000);
    }
    const { running } = await client.listSprites({ maxResults: 1 });
    for (const name of names) await client.deleteSprite(name);
    const p50 = quantile(samples, 0.5);
    return [
      {
        what: `server restart, ${knownCount} known and ${runningCount} running`,
        n: restarts,
        p50,
        p99: quantile(samples, 0.99),
        unit: 's',
        promise: 'ready in 2 s, all go on running',
        kept: p50 <= 2 && running === runningCount,
      },
    ];
  },
};

import { request } from 'node:http';
import type { Sprite } from '@sprites/sdk';
import type { Measurement } from '../measurement.ts';
import { latencyRow } from '../samples.ts';

/** A request that finds its sprite asleep, from a new connection to the end of the answer of its HTTP service. */
export const urlWake: Measurement = {
  name: 'url-wake',
  title: 'requests that wake a sprite',
  async run({ client, server, n, nextName }) {
    const sprite = await client.createSprite(nextName(), { urlSettings: { auth: 'public' } });
    const host = new URL((await client.getSprite(sprite.name)).url ?? '').host;
    const args = ['-m', 'http.server', '8000', '--directory', '/tmp'];
    await (await sprite.createService('web', { cmd: 'python3', args, httpPort: 8000 })).processAll(() => {});
    const ask = (): Promise<number> => timeRequest(server.baseUrl, host);
    const warm = await times(n, async () => {
      await sprite.sleep();
      return ask();
    });
    const cold = await times(Math.ceil(n / 2), async () => {
      await sprite.sleep({ to: 'cold' });
      return ask();
    });
    const boots = await times(Math.ceil(n / 2), () => timeBoot(sprite));
    const awake = await times(n, ask);
    await sprite.delete();
    return [
      latencyRow('request to a warm sprite’s URL', warm, { p50Ms: 25 }),
      latencyRow('request to a cold sprite’s URL', cold, { p50Ms: 500 }),
      latencyRow('the same sprite cold → exec answered', boots),
      latencyRow('the same request awake', awake),
    ];
  },
};

/** Once to warm up and `n` times that count. */
async function times(n: number, one: () => Promise<number>): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let index = -1; index < n; index++) {
    const ms = await one();
    if (index >= 0) samples.push(ms);
  }
  return samples;
}

async function timeBoot(sprite: Sprite): Promise<number> {
  await sprite.sleep({ to: 'cold' });
  const startedMs = performance.now();
  await sprite.execFile('true');
  return performance.now() - startedMs;
}

/** On a connection of its own. */
function timeRequest(base: string, host: string): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(base, { agent: false, headers: { host } }, (response) => {
      response.resume();
      response.once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - startedMs);
        else reject(new Error(`the URL answered ${response.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}

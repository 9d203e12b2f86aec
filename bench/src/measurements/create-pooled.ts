import { setTimeout as sleep } from 'node:timers/promises';
import { type SpriteConfig, SpritesClient } from '@sprites/sdk';
import type { TestServer } from '@sprites/testkit';
import type { Measurement } from '../measurement.ts';
import { latencyRow } from '../samples.ts';

const pollMs = 50;
const giveUpMs = 60_000;

/** A new sprite until its first command has answered, when a machine was ready for it, beside one that must boot. */
export const createPooled: Measurement = {
  name: 'create-pooled',
  title: 'create → first exec answered, from the pool and booted',
  async run(bench) {
    await using server = await bench.startServer({ SPRITES_READY_MACHINES: '1' });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const create = (config: SpriteConfig): Promise<number> => timeCreate(client, bench.nextName(), config);
    if (!(await waitUntilReady(server))) return 'no machine gets ready on this host';
    const pooled: number[] = [];
    const booted: number[] = [];
    for (let index = -1; index < bench.n; index++) {
      // Another size than the default: nothing that is ready can become such a sprite.
      const cold = await create({ ramMB: 512 });
      await waitUntilReady(server);
      const warm = await create({});
      if (index < 0) continue;
      booted.push(cold);
      pooled.push(warm);
    }
    return [
      latencyRow('create → first exec answered, a machine ready', pooled, { p50Ms: 80 }),
      latencyRow('create → first exec answered, booted', booted, { p50Ms: 350 }),
    ];
  },
};

async function timeCreate(client: SpritesClient, name: string, config: SpriteConfig): Promise<number> {
  const startedMs = performance.now();
  const sprite = await client.createSprite(name, { config });
  await sprite.execFile('true');
  const tookMs = performance.now() - startedMs;
  await sprite.delete();
  return tookMs;
}

async function waitUntilReady(server: TestServer): Promise<boolean> {
  const deadline = performance.now() + giveUpMs;
  while (performance.now() < deadline) {
    const text = await (await fetch(`${server.baseUrl}/metrics`)).text();
    if (/^sprites_ready_machines [1-9]/m.test(text)) return true;
    await sleep(pollMs);
  }
  return false;
}

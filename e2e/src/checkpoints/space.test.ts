import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { failure } from './failure.ts';
import { sh } from './tree.ts';

const mib = 1024 ** 2;
let server: TestServer;
let client: SpritesClient;
let sprite: Sprite;

beforeAll(async () => {
  const settings = { SPRITES_DISK_GB: '4', SPRITES_POOL_GB: '2', SPRITES_READY_MACHINES: '0' };
  server = await startTestServer({ settings });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  sprite = await client.createSprite('space');
});
afterAll(async () => {
  await server?.close();
}, 120_000);

async function poolFree(): Promise<number> {
  const answer = await fetch(`${server.baseUrl}/metrics`);
  const [, bytes] = /^sprites_pool_bytes\{kind="free"\} (\S+)$/m.exec(await answer.text()) ?? [];
  return Number(bytes);
}

describe('the space of a sprite', () => {
  it('is counted for the disk and each checkpoint, shared and alone', async () => {
    await sh(sprite, 'head -c 100M /dev/urandom > big; sync');
    await sprite.checkpoint();
    await sh(sprite, 'head -c 100M /dev/urandom > big; sync');
    const made = await sprite.checkpoint();
    expect(made.sizeBytes).toBeGreaterThan(100 * mib);
    const sizes = async () => new Map((await sprite.listCheckpoints()).map((one) => [one.id, one]));
    await expect.poll(async () => (await sizes()).get('v1')?.ownBytes ?? 0).toBeGreaterThan(90 * mib);
    const all = await sizes();
    for (const { sizeBytes = 0, ownBytes = 0, sharedBytes = 0 } of all.values()) {
      expect(ownBytes + sharedBytes).toBe(sizeBytes);
    }
    // the live disk still has what v2 saved
    expect(all.get('v2')?.ownBytes).toBeLessThan(20 * mib);
    expect(all.get('Current')?.ownBytes).toBeLessThan(20 * mib);
    const { info } = await client.getSprite('space');
    expect(info?.storage?.usedBytes).toBeGreaterThan(100 * mib);
    expect(info?.storage?.checkpointsBytes).toBeGreaterThan(90 * mib);
    expect(info?.storage?.checkpointsBytes).toBeLessThan(150 * mib);
    const metrics = await (await fetch(`${server.baseUrl}/metrics`)).text();
    expect(metrics).toContain(`sprites_storage_bytes{sprite="${sprite.id}",kind="checkpoints"}`);
    const cli = await CommandLine.openFor({ baseURL: server.baseUrl, token: server.token });
    await using _ = { [Symbol.asyncDispose]: () => cli.close() };
    expect((await cli.run(['checkpoint', 'list', '-s', 'space'])).text).toMatch(
      /^ID.* SIZE +OWN .*\n(.*\n)*v1 .* \d+ MiB +\d+ MiB /,
    );
    expect((await cli.run(['info', 'space'])).text).toMatch(/storage +\S+ MiB, .* checkpoints add \d+/);
  }, 120_000);

  it('is free at once when a checkpoint is deleted', async () => {
    const before = await poolFree();
    await sprite.deleteCheckpoint('v1');
    await expect.poll(poolFree, { timeout: 10_000 }).toBeGreaterThan(before + 80 * mib);
    const { info } = await client.getSprite('space');
    expect(info?.storage?.checkpointsBytes).toBeLessThan(50 * mib);
  });

  it('goes back to the pool when files are removed', async () => {
    const empty = await poolFree();
    await sh(sprite, 'head -c 600M /dev/zero | tr "\\0" x > huge; sync');
    await expect.poll(poolFree, { timeout: 20_000 }).toBeLessThan(empty - 500 * mib);
    await sh(sprite, 'rm huge; sync');
    await expect.poll(poolFree, { timeout: 20_000 }).toBeGreaterThan(empty - 100 * mib);
  }, 120_000);

  it('that is too little is told with numbers', async () => {
    const free = await poolFree();
    const [, reserve] =
      /kind="reserve"\} (\S+)/.exec(await (await fetch(`${server.baseUrl}/metrics`)).text()) ?? [];
    const fill = Math.ceil((free - Number(reserve)) / mib) + 40;
    await sh(sprite, `dd if=/dev/zero of=ballast bs=1M count=${fill} conv=fsync 2>&1`);
    await expect.poll(poolFree, { timeout: 20_000 }).toBeLessThan(Number(reserve));
    for (const refused of [
      () => client.createSprite('late'),
      () => sprite.createCheckpoint(),
      () => sprite.fork('copy'),
    ]) {
      const error = await failure(
        refused().then(async (made) => ('wait' in made ? await made.wait() : made)),
      );
      expect(error.errorCode).toBe('out_of_space');
      expect(error.message).toMatch(/has \d+(\.\d+)? MiB free and keeps \d+(\.\d+)? MiB in reserve/);
    }
    await expect
      .poll(
        async () => {
          const events = await sprite.events();
          const messages: string[] = [];
          for await (const event of events) messages.push(event.message);
          return messages.join('\n');
        },
        { timeout: 20_000 },
      )
      .toMatch(/the disk pool of the server is nearly full: \d+(\.\d+)? MiB free/);
    await sh(sprite, 'rm ballast; sync');
    await expect.poll(poolFree, { timeout: 20_000 }).toBeGreaterThan(Number(reserve));
    expect((await sprite.checkpoint()).health).toBe('');
  }, 120_000);
});

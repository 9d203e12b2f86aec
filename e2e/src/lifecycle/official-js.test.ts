import { type Sprite, SpritesClient } from '@fly/sprites';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** A busy host takes its time. */
const patiently = { timeout: 30_000 };

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_WARM_AFTER_S: '1', SPRITES_COLD_AFTER_S: '4' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
}, 120_000);

// Closing throws when anything is left in the kernel.
afterAll(async () => {
  await server?.close();
}, 120_000);

async function statusOf(sprite: Sprite): Promise<string | undefined> {
  return (await client.getSprite(sprite.name)).status;
}

describe('the official JS SDK', () => {
  it('sees an idle sprite get warm, go on where it was, and get cold', async () => {
    const sprite = await client.createSprite('demo');
    expect(await statusOf(sprite)).toBe('cold');
    const counting = 'i=0; while :; do echo $i > /dev/shm/count; i=$((i + 1)); sleep 0.05; done';
    await sprite.execFile('sh', [
      '-c',
      `setsid sh -c '${counting}' > /dev/null 2>&1 < /dev/null & echo $! > /dev/shm/pid`,
    ]);
    expect(await statusOf(sprite)).toBe('running');
    await expect.poll(() => statusOf(sprite), patiently).toBe('warm');
    const read = async (): Promise<number> =>
      Number((await sprite.execFile('cat', ['/dev/shm/count'])).stdout);
    const frozen = await read();
    expect((await sprite.execFile('sh', ['-c', 'kill -0 $(cat /dev/shm/pid) && echo alive'])).stdout).toBe(
      'alive\n',
    );
    await expect.poll(read, patiently).toBeGreaterThan(frozen);
    await expect.poll(() => statusOf(sprite), patiently).toBe('cold');
    expect(Number((await sprite.execFile('sh', ['-c', 'ls /dev/shm | wc -l'])).stdout)).toBe(0);
  }, 120_000);
});

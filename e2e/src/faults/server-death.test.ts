import { SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let server: TestServer;
let client: SpritesClient;

beforeEach(async () => {
  server = await startTestServer();
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

// Closing throws when anything is left in the kernel.
afterEach(async () => {
  await server.close();
}, 120_000);

async function names(): Promise<readonly string[]> {
  return (await client.listAllSprites()).map(({ name }) => name);
}

describe('kill -9 of the server', () => {
  it('leaves a running command alone; its session can be attached with all of its output', async () => {
    const sprite = await client.createSprite('survivor');
    const line = 'for i in $(seq 1 200); do echo line $i; sleep 0.05; done; exit 7';
    const first = sprite.spawn('sh', ['-c', line], { detachable: true, stdin: false });
    first.on('error', () => undefined);
    await new Promise((resolve) => first.stdout.once('data', resolve));
    const [session] = await sprite.listSessions();
    await server.kill9();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await server.restart();
    const again = sprite.attachSession(session?.id ?? '', { tty: false, cursor: 0 });
    let output = '';
    for await (const chunk of again.stdout) output += Buffer.from(chunk).toString();
    expect(await again.wait()).toBe(7);
    expect(output.trim().split('\n')).toEqual(Array.from({ length: 200 }, (_, i) => `line ${i + 1}`));
  }, 120_000);

  it.each([5, 40, 120, 300])(
    '%d ms into creations leaves only whole sprites',
    async (delayMs) => {
      const acknowledged: string[] = [];
      const creations = Array.from({ length: 12 }, async (_, index) => {
        const sprite = await client.createSprite(`half-${index}`);
        acknowledged.push(sprite.name);
        await sprite.execFile('true');
      });
      const settled = Promise.allSettled(creations);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await server.kill9();
      await settled;
      await server.restart();
      const found = await names();
      expect(found).toEqual(expect.arrayContaining(acknowledged));
      for (const name of found)
        expect((await client.sprite(name).execFile('echo', [name])).stdout).toBe(`${name}\n`);
    },
    180_000,
  );

  it.each([2, 15, 60])(
    '%d ms into deletions leaves no half of one',
    async (delayMs) => {
      const all = Array.from({ length: 8 }, (_, index) => `gone-${index}`);
      await Promise.all(
        all.map(async (name) => {
          await (await client.createSprite(name)).execFile('true');
        }),
      );
      const gone: string[] = [];
      const settled = Promise.allSettled(
        all.map(async (name) => {
          await client.deleteSprite(name);
          gone.push(name);
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await server.kill9();
      await settled;
      await server.restart();
      const found = await names();
      expect(found.filter((name) => gone.includes(name))).toEqual([]);
      for (const name of found) expect((await client.sprite(name).execFile('true')).exitCode).toBe(0);
      // The names of those that are gone are free again.
      for (const name of all.filter((one) => !found.includes(one))) await client.createSprite(name);
    },
    180_000,
  );
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let server: TestServer;
let client: SpritesClient;

beforeEach(async () => {
  server = await startTestServer({ settings: { SPRITES_READY_MACHINES: '1' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

// Closing throws when anything is left in the kernel.
afterEach(async () => {
  await server.close();
}, 120_000);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.baseUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}

async function untilReady(): Promise<void> {
  await expect.poll(() => metric('sprites_ready_machines'), { timeout: 30_000 }).toBe(1);
}

/** Directories of machines, those of the pool included. */
function machines(): Promise<readonly string[]> {
  return readdir(join(server.runDir, 'machines'));
}

const look =
  'hostname; cat /etc/hostname; getent hosts "$(hostname)" | cut -d" " -f1; echo $KEY; cat /etc/machine-id; cat /proc/sys/kernel/random/uuid';

describe('a sprite made of a machine that was ready', () => {
  it('runs at once, with name, variables and an identity of its own, and sleeps and wakes like any other', async () => {
    const identities = new Set<string>();
    for (const name of ['one', 'two']) {
      await untilReady();
      const made = await client.createSprite(name, { environment: { KEY: `of ${name}` } });
      expect(made.info?.status).toBe('running');
      const { stdout } = await made.execFile('sh', ['-c', look]);
      const [kernel, file, address, key, ...random] = String(stdout).trim().split('\n');
      expect([kernel, file, address, key]).toEqual([name, name, '127.0.1.1', `of ${name}`]);
      for (const part of random) identities.add(part);
    }
    expect(identities.size).toBe(4);
    const sprite = client.sprite('one');
    await sprite.execFile('sh', ['-c', 'echo kept >file; sync']);
    await sprite.restart();
    expect((await sprite.execFile('sh', ['-c', 'hostname; cat file'])).stdout).toBe('one\nkept\n');
  });

  it('is the only one that is seen: what is ready is no sprite', async () => {
    await untilReady();
    expect(await client.listAllSprites()).toEqual([]);
    expect(await metric('sprites_sprites\\{status="running"\\}')).toBe(0);
    // also while clients keep their connections open
    expect(await server.stop()).toBe(0);
    expect(await machines()).toEqual([]);
    expect(await readdir(join(server.dataDir, 'pool/disks'))).toEqual([]);
  });
});

describe('kill -9 of the server', () => {
  it('at any moment of making and giving away what is ready leaves one owner of each machine, or none', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round++) {
      if (round % 2 === 0) await untilReady();
      const creations = [0, 1].map(async (index) => {
        const { name } = await client.createSprite(`round-${round}-${index}`);
        acknowledged.push(name);
      });
      const settled = Promise.allSettled(creations);
      await sleep([3, 9, 20, 150][round]);
      await server.kill9();
      await settled;
      await server.restart();
    }
    const found = await client.listAllSprites();
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(acknowledged));
    const addresses = await Promise.all(
      found.map(async ({ name }) => {
        const { stdout } = await client.sprite(name).execFile('sh', ['-c', 'hostname; hostname -I']);
        const [hostname, address] = String(stdout).trim().split('\n');
        expect(hostname).toBe(name);
        return address;
      }),
    );
    expect(new Set(addresses).size).toBe(found.length);
    await untilReady();
    expect(await machines()).toHaveLength(found.length + 1);
  }, 180_000);
});

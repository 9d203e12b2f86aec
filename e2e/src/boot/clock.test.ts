import { setTimeout as sleep } from 'node:timers/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_WARM_AFTER_S: '1' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

afterAll(async () => {
  await server?.close();
});

async function sh(sprite: Sprite, script: string): Promise<string> {
  return String((await sprite.execFile('sudo', ['sh', '-c', script])).stdout).trim();
}

async function untilWarm(sprite: Sprite): Promise<void> {
  await expect
    .poll(async () => (await client.getSprite(sprite.name)).status, { timeout: 20_000 })
    .toBe('warm');
}

describe('a sprite that wakes from warm', () => {
  it('has the time of the host at once, in new and in old processes', async () => {
    const sprite = await client.createSprite('clock');
    const program = 'import sys, time\nfor line in sys.stdin: print(time.time(), flush=True)';
    await sh(
      sprite,
      `mkfifo /tmp/in /tmp/out; setsid python3 -uc "${program}" <>/tmp/in >/tmp/out 2>/dev/null &`,
    );
    await untilWarm(sprite);
    await sleep(1500);
    const before = Date.now() / 1000;
    const out = await sh(
      sprite,
      'date +%s.%N; echo now >/tmp/in; read -r line </tmp/out; echo $line; cut -d" " -f1 /proc/uptime',
    );
    const after = Date.now() / 1000;
    const [fresh, old, uptime] = out.split('\n').map((line) => line.split(' ').map(Number));
    for (const time of [fresh?.[0], old?.[0]]) {
      expect(time).toBeGreaterThanOrEqual(before - 0.001);
      expect(time).toBeLessThanOrEqual(after + 0.001);
    }
    expect(uptime?.[0]).toBeGreaterThan(0);
  });

  it('comes back by itself when its root has broken the first process by then', async () => {
    const sprite = await client.createSprite('dies-warm');
    await sh(sprite, 'echo kept >/home/sprite/file; sync');
    // its root breaks the first process, which notices only when it goes on
    const overwrite = [
      "range=$(grep -m1 'r-xp.*libc.so' /proc/1/maps | cut -d' ' -f1)",
      'from=$((0x$(echo $range | cut -d- -f1) / 4096)); to=$((0x$(echo $range | cut -d- -f2) / 4096))',
      "tr '\\\\0' '\\\\314' </dev/zero | dd of=/proc/1/mem bs=4096 seek=$from count=$((to - from)) conv=notrunc",
    ].join('\n');
    await sh(
      sprite,
      `cat >/tmp/break <<'END'\nstart=$(date +%s)\nuntil [ $(($(date +%s) - start)) -gt 3 ]; do sleep 0.05; done\n${overwrite.replaceAll('\\\\', '\\')}\nEND\nsetsid sh /tmp/break >/dev/null 2>&1 &`,
    );
    await untilWarm(sprite);
    await sleep(3000);
    // what is asked of it just as it dies may break off, as nobody can know whether it was done
    const read = (): Promise<unknown> =>
      sprite.execFile('cat', ['/home/sprite/file']).then(({ stdout }) => stdout);
    await read().catch(() => undefined);
    await sleep(500);
    await expect.poll(() => read().catch(String), { timeout: 15_000 }).toBe('kept\n');
    await expect.poll(async () => (await client.getSprite(sprite.name)).info?.incarnation).toBe(2);
  }, 60_000);
});

describe('randomness', () => {
  it('differs between a sprite, its forks, and its restored self', async () => {
    const origin = await client.createSprite('origin');
    await sh(origin, 'mkdir -p /var/lib/systemd; head -c 512 /dev/zero >/var/lib/systemd/random-seed; sync');
    const look =
      'head -c 16 /dev/urandom | sha256sum; sha256sum </var/lib/systemd/random-seed; cat /etc/machine-id';
    const seen = (await sh(origin, look)).split('\n');
    await (await origin.createCheckpoint()).processAll(() => {});
    for (const name of ['fork-1', 'fork-2']) {
      const fork = await client.createSprite(name, { from: { sprite: 'origin' } });
      seen.push(...(await sh(fork, look)).split('\n'));
    }
    await (await origin.restoreCheckpoint('v1')).processAll(() => {});
    const [random = '', seed = '', machineId] = (await sh(origin, look)).split('\n');
    expect(seen[2]).toBe(machineId);
    expect(new Set([...seen, random, seed]).size).toBe(3 * 3 + 2);
  }, 120_000);
});

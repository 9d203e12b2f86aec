import { access, readdir, readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const hasLxcfs = await access('/usr/bin/lxcfs').then(
  () => true,
  () => false,
);

let server: TestServer;
let client: SpritesClient;

async function sh(sprite: Sprite, script: string): Promise<string> {
  return String((await sprite.execFile('sh', ['-c', script])).stdout).trim();
}

async function pidOfView(): Promise<number> {
  const state: unknown = JSON.parse(await readFile(join(server.runDir, 'view/lxcfs.json'), 'utf8'));
  return Number(Object(state).pid);
}

const memTotalKb = (text: string): number => Number(/^MemTotal:\s+(\d+) kB/m.exec(text)?.[1]);

describe('a sprite of half a gigabyte and one processor', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    server = await startTestServer();
    client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    sprite = await client.createSprite('small', { config: { ramMB: 512, cpus: 1 } });
  });

  afterAll(async () => {
    await server?.close();
  });

  it('counts one processor, however many the host has', async () => {
    expect(await sh(sprite, 'nproc; python3 -c "import os; print(len(os.sched_getaffinity(0)))"')).toBe(
      '1\n1',
    );
    const whole = await client.createSprite('whole');
    expect(Number(await sh(whole, 'nproc'))).toBe(Math.min(8, availableParallelism()));
  });

  it.skipIf(!hasLxcfs)('sees its own memory, processors, age and load', async () => {
    const seen = await sh(
      sprite,
      'cat /proc/meminfo; grep -c ^processor /proc/cpuinfo; cat /proc/uptime /proc/loadavg',
    );
    expect(memTotalKb(seen)).toBe(512 * 1024);
    const [processors, uptime, load] = seen.split('\n').slice(-3);
    expect(processors).toBe('1');
    expect(Number(uptime?.split(' ')[0])).toBeLessThan(
      Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]),
    );
    expect(load).toMatch(/^\d/);
    expect(await sh(sprite, 'free -m | grep Mem: | tr -s " " | cut -d" " -f2')).toMatch(/^51[12]$/);
  });

  it.skipIf(!hasLxcfs)(
    'goes on when the server is killed, also with new sprites of the next one',
    async () => {
      const before = await pidOfView();
      await server.kill9();
      await server.restart();
      expect(await pidOfView()).toBe(before);
      expect(memTotalKb(await sh(sprite, 'cat /proc/meminfo'))).toBe(512 * 1024);
    },
  );

  it.skipIf(!hasLxcfs)(
    'sees the host instead when the view dies, and after its next start itself again',
    async () => {
      process.kill(await pidOfView(), 'SIGKILL');
      const total = async (): Promise<number> =>
        memTotalKb(await sh(sprite, 'cat /proc/meminfo').catch(() => ''));
      await expect.poll(total, { timeout: 30_000, interval: 500 }).toBeGreaterThan(totalmem() / 1024 - 1);
      await expect
        .poll(() => readdir(join(server.runDir, 'view/lxcfs/proc')), { timeout: 20_000 })
        .toContain('meminfo');
      await sprite.upgrade();
      expect(await total()).toBe(512 * 1024);
    },
    90_000,
  );

  it.skipIf(!hasLxcfs)(
    'sleeps, wakes and stops also while the view hangs',
    async () => {
      const pid = await pidOfView();
      process.kill(pid, 'SIGSTOP');
      const reading = sprite.execFile('cat', ['/proc/meminfo']).catch(() => undefined);
      expect(await sh(sprite, 'echo up')).toBe('up');
      // a view that hangs is killed, and what waits for it goes on
      await reading;
      await expect.poll(pidOfView, { timeout: 30_000 }).not.toBe(pid);
      await sprite.upgrade();
      expect(await sh(sprite, 'echo up')).toBe('up');
    },
    90_000,
  );
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { sh } from './tree.ts';

const everyMs = 5000;
let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  const settings = { SPRITES_DISK_GB: '1', SPRITES_AUTO_CHECKPOINTS: '5s', SPRITES_WARM_AFTER_S: '2' };
  server = await startTestServer({ settings });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});
afterAll(async () => {
  await server?.close();
}, 120_000);

async function automatic(sprite: Sprite): Promise<readonly string[]> {
  const all = await sprite.listCheckpoints({ includeAuto: true });
  return all.filter(({ isAuto }) => isAuto).map(({ id }) => id);
}

async function forIntervals(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, count * everyMs));
}

describe('automatic checkpoints', () => {
  it('are made while the disk changes, and not of one that nobody writes to, asleep or awake', async () => {
    const [busy, idle] = await Promise.all(['busy', 'idle'].map((name) => client.createSprite(name)));
    if (busy === undefined || idle === undefined) throw new Error('not created');
    await sh(idle, 'echo once > file; sync');
    await sh(busy, 'true');
    const writing = busy.spawn('sh', ['-c', 'while :; do echo x >> file; sync file; sleep 0.2; done'], {
      stdin: false,
    });
    // awake, and reads only
    const reading = idle.spawn('sh', ['-c', 'while :; do cat file; sleep 0.2; done'], { stdin: false });
    for (const command of [writing, reading]) command.on('error', () => undefined);
    await expect.poll(() => automatic(idle), { timeout: 30_000 }).toHaveLength(1);
    await expect.poll(async () => (await automatic(busy)).length, { timeout: 30_000 }).toBeGreaterThan(2);
    expect(await automatic(idle)).toHaveLength(1);
    writing.kill();
    reading.kill();
    // nothing keeps them awake but the checkpoints, which must not
    await expect.poll(async () => (await client.getSprite('busy')).status, { timeout: 30_000 }).toBe('warm');
    await forIntervals(1.5);
    const before = await automatic(busy);
    await forIntervals(1.5);
    expect(await automatic(busy)).toEqual(before);
    expect((await client.getSprite('busy')).status).toBe('warm');
    expect((await busy.listCheckpoints()).map(({ id }) => id)).toEqual(['Current']);
    expect((await busy.checkpoint()).id).toBe('v1');
    await busy.restore(before[0] ?? '');
    expect(await sh(busy, 'head -1 file')).toBe('x\n');
  }, 120_000);

  it('are set per sprite', async () => {
    const sprite = await client.createSprite('own', { autoCheckpoints: { everyS: 'off', keepDaily: 3 } });
    expect(sprite.info?.autoCheckpoints).toEqual({ everyS: 'off', keepHourly: 24, keepDaily: 3 });
    const cli = await CommandLine.openFor({ baseURL: server.baseUrl, token: server.token });
    await using _ = { [Symbol.asyncDispose]: () => cli.close() };
    const set = await cli.run(['checkpoint', 'auto', '-s', 'own', '--every', '2h', '--keep-daily', 'server']);
    expect(set.text).toBe('every 2h while files change; the newest of 24 hours and 7 days stay\n');
    const copy = await sprite.fork('copy');
    expect(copy.info?.autoCheckpoints).toMatchObject({ everyS: 7200 });
    expect(
      (await cli.run(['checkpoint', 'auto', '-s', 'copy', '--every', 'server', '--json'])).text,
    ).toContain('"everyS": 5,');
    for (const bad of [
      ['--every', 'soon'],
      ['--keep-daily', '-1'],
    ]) {
      expect((await cli.run(['checkpoint', 'auto', '-s', 'own', ...bad])).code).toBe(2);
    }
    expect((await cli.run(['checkpoint', 'auto', '-s', 'own', '--every', '1s'])).code).toBe(1);
  });
});

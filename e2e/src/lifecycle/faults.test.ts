import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** A busy host takes its time. */
const patiently = { timeout: 30_000 };

let server: TestServer;
let client: SpritesClient;

beforeEach(async () => {
  server = await startTestServer({ settings: { SPRITES_WARM_AFTER_S: '1', SPRITES_COLD_AFTER_S: 'never' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
}, 120_000);

// Closing throws when anything is left in the kernel.
afterEach(async () => {
  await server.close();
}, 120_000);

async function statusOf(sprite: Sprite): Promise<string | undefined> {
  return (await client.getSprite(sprite.name)).status;
}

async function sh(sprite: Sprite, script: string): Promise<string> {
  return (await sprite.execFile('sh', ['-c', script])).stdout;
}

/** Starts a sprite with a program that is the same for as long as its machine is. */
async function startSprite(name: string): Promise<Sprite> {
  const sprite = await client.createSprite(name);
  await sh(sprite, 'date +%s%N > /dev/shm/mark');
  return sprite;
}

/** Machines of this server, by their state files. */
async function machines(): Promise<readonly string[]> {
  return readdir(join(server.runDir, 'machines'));
}

/** Sends a signal to the first process of the only machine, which is its agent. */
async function signalAgent(signal: NodeJS.Signals): Promise<void> {
  const [id = ''] = await machines();
  const state: unknown = JSON.parse(
    await readFile(join(server.runDir, 'machines', id, 'state.json'), 'utf8'),
  );
  const { init } = Object(state);
  process.kill(init.pid, signal);
}

async function eventTypes(sprite: Sprite): Promise<readonly string[]> {
  const types: string[] = [];
  for await (const { type } of await sprite.events()) types.push(type);
  return types;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** What is under way when the server dies. */
const acts: readonly ((sprite: Sprite) => Promise<unknown>)[] = [
  (sprite) => sprite.sleep(),
  (sprite) => sprite.sleep({ to: 'cold' }),
  (sprite) => sprite.sleep().then(() => sprite.wake()),
  (sprite) => sprite.sleep({ to: 'cold' }).then(() => sprite.wake()),
  (sprite) => sprite.restart(),
];

describe('kill -9 of the server', () => {
  it('leaves warm sprites warm, which go on where they were', async () => {
    const sprite = await startSprite('warm');
    const mark = await sh(sprite, 'cat /dev/shm/mark');
    const session = sprite.spawn('sh', ['-c', 'read line; echo $line'], { detachable: true });
    session.on('error', () => undefined);
    await expect.poll(async () => (await sprite.listSessions()).length, patiently).toBe(1);
    session.detach();
    await session.wait().catch(() => undefined);
    await expect.poll(() => statusOf(sprite), patiently).toBe('warm');
    const before = (await client.getSprite(sprite.name)).info?.lifecycle;
    await server.kill9();
    await server.restart();
    const after = (await client.getSprite(sprite.name)).info?.lifecycle;
    expect(after).toEqual(before);
    expect(await sh(sprite, 'cat /dev/shm/mark')).toBe(mark);
    expect((await sprite.listSessions()).map(({ id }) => id)).toEqual([session.sessionId]);
    expect((await client.getSprite(sprite.name)).info?.lifecycle.lastWake).toMatchObject({ kind: 'warm' });
    await expect.poll(() => statusOf(sprite), patiently).toBe('warm');
  }, 120_000);

  it('while sprites fall asleep, wake and go cold leaves none stuck and none running twice', async () => {
    const sprites = await Promise.all(Array.from({ length: 5 }, (_, i) => startSprite(`busy-${i}`)));
    for (const delayMs of [1, 5, 20, 80]) {
      const settled = Promise.allSettled(sprites.map((sprite, i) => acts[i]?.(sprite)));
      await pause(delayMs);
      await server.kill9();
      await settled;
      await server.restart();
      const answers = await Promise.all(
        sprites.map((sprite) => sh(sprite, 'hostname; ls /proc | grep -c "^1$"')),
      );
      expect(answers).toEqual(sprites.map(({ name }) => `${name}\n1\n`));
      expect(await machines()).toHaveLength(sprites.length);
      sprites.push(sprites.shift() ?? expect.unreachable());
    }
    await Promise.all(sprites.map((sprite) => sprite.sleep({ to: 'cold' })));
    expect(await machines()).toEqual([]);
  }, 120_000);
});

describe('an agent', () => {
  it('that is killed comes back by itself, which the history tells', async () => {
    const sprite = await startSprite('killed');
    await signalAgent('SIGKILL');
    await expect.poll(() => eventTypes(sprite), patiently).toEqual(expect.arrayContaining(['crashed']));
    await expect.poll(() => statusOf(sprite), patiently).toBe('running');
    expect(await sh(sprite, 'ls /dev/shm | wc -l')).toBe('0\n');
  }, 120_000);

  it('that dies in its sleep costs no request', async () => {
    const sprite = await startSprite('dies');
    for (let round = 0; round < 3; round++) {
      await sprite.sleep();
      await signalAgent('SIGKILL');
      expect(await sh(sprite, 'echo answered')).toBe('answered\n');
      // a machine that ends too often is not started again by itself, but by its use
      expect(await sh(sprite, 'ls /dev/shm | wc -l')).toBe('0\n');
    }
    expect(await eventTypes(sprite)).toContain('crashed');
  }, 120_000);

  it.each([0, 2, 6])(
    'that dies %d ms into a wake costs at most the request that it had',
    async (delayMs) => {
      const sprite = await startSprite('dies');
      await sprite.sleep();
      const answer = sh(sprite, 'echo answered').catch(String);
      await pause(delayMs);
      await signalAgent('SIGKILL');
      expect(await answer).toMatch(/^answered$|broke off|cannot be reached|before the exit status/m);
      await expect.poll(() => sh(sprite, 'ls /dev/shm | wc -l').catch(String), patiently).toBe('0\n');
      expect(await machines()).toHaveLength(1);
    },
    120_000,
  );

  it('that does not say whether it is busy keeps its sprite awake, which says so', async () => {
    const sprite = await startSprite('silent');
    const held = async (): Promise<readonly string[]> =>
      ((await client.getSprite(sprite.name)).info?.lifecycle.heldBy ?? []).map(({ kind }) => kind);
    await expect.poll(held, patiently).not.toContain('connection');
    await signalAgent('SIGSTOP');
    await expect.poll(held, patiently).toContain('unknown');
    expect(await statusOf(sprite)).toBe('running');
    expect((await sprite.sleep({ to: 'cold' })).status).toBe('cold');
    expect(await sh(sprite, 'echo again')).toBe('again\n');
  }, 120_000);
});

describe('a host short of memory', () => {
  it('stops what is warm, and never what runs', async () => {
    const settings = { SPRITES_WARM_AFTER_S: 'never', SPRITES_MEMORY_RESERVE_MB: '16777216' };
    await using short = await startTestServer({ settings });
    const clientOfShort = new SpritesClient(short.token, { baseURL: short.baseUrl });
    const sprites = await Promise.all(['sleeps', 'runs'].map((name) => clientOfShort.createSprite(name)));
    await Promise.all(sprites.map((sprite) => sprite.wake()));
    await sprites[0]?.sleep();
    const states = async (): Promise<readonly string[]> =>
      (await clientOfShort.listSprites()).sprites.map(({ name, status }) => `${name} ${status}`);
    await expect.poll(states, patiently).toEqual(['runs running', 'sleeps cold']);
    const { info } = await clientOfShort.getSprite('sleeps');
    expect(info?.lifecycle.lastSleep).toEqual({ kind: 'cold', cause: 'the host is short of memory' });
  }, 120_000);
});

describe('a host that has booted again', () => {
  it('has only cold sprites, which wake as ever', async () => {
    const warm = await startSprite('was-warm');
    const running = await startSprite('was-running');
    await running.update({ idle: { warmAfterS: 'never' } });
    await sh(warm, 'echo kept > ~/file; sync');
    await expect.poll(() => statusOf(warm), patiently).toBe('warm');
    await server.kill9();
    // all that is left of machines after a boot is the disks
    await server.down();
    await server.restart();
    expect([await statusOf(warm), await statusOf(running)]).toEqual(['cold', 'cold']);
    expect(await sh(warm, 'cat ~/file; ls /dev/shm | wc -l')).toBe('kept\n0\n');
  }, 120_000);
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upgrade } from '../http.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
let sprite: Sprite;

beforeAll(async () => {
  sprite = await client.createSprite(uniqueName('connections'));
  await sprite.execFile('true');
});

afterAll(async () => {
  await sprite.delete();
});

async function isRunning(marker: string): Promise<boolean> {
  const { stdout } = await sprite.execFile('sh', ['-c', `pgrep -f '[s]leep ${marker}' || true`]);
  return stdout.trim() !== '';
}

async function until(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const giveUpMs = Date.now() + timeoutMs;
  while (Date.now() < giveUpMs) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

describe('a connection that breaks', () => {
  it('ends its command after the time the caller allowed, when the socket is closed', async () => {
    const path = `/v1/sprites/${sprite.name}/exec?cmd=sleep&cmd=7001&max_run_after_disconnect=1s`;
    const outcome = await upgrade(server, path);
    if (!('socket' in outcome)) throw new Error(JSON.stringify(outcome));
    expect(await until(() => isRunning('7001'), 5000)).toBe(true);
    outcome.socket.end();
    expect(await until(async () => !(await isRunning('7001')), 15_000)).toBe(true);
  });

  it('ends its command as well when TCP is reset in the middle of output', async () => {
    const line = 'yes & sleep 7002';
    const path = `/v1/sprites/${sprite.name}/exec?cmd=sh&cmd=-c&cmd=${encodeURIComponent(line)}&max_run_after_disconnect=1s`;
    const outcome = await upgrade(server, path);
    if (!('socket' in outcome)) throw new Error(JSON.stringify(outcome));
    await new Promise((resolve) => outcome.socket.once('data', resolve));
    outcome.socket.resetAndDestroy();
    expect(await until(async () => !(await isRunning('7002')), 15_000)).toBe(true);
  });

  it('lets a detached command go on', async () => {
    const path = `/v1/sprites/${sprite.name}/exec?cmd=sleep&cmd=7003&detachable=true`;
    const outcome = await upgrade(server, path);
    if (!('socket' in outcome)) throw new Error(JSON.stringify(outcome));
    expect(await until(() => isRunning('7003'), 5000)).toBe(true);
    outcome.socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await isRunning('7003')).toBe(true);
    await sprite.execFile('pkill', ['-f', 'sleep 7003']);
  });

  it('that sends garbage instead of frames is closed and harms nobody', async () => {
    const outcome = await upgrade(server, `/v1/sprites/${sprite.name}/exec?cmd=cat&stdin=true`);
    if (!('socket' in outcome)) throw new Error(JSON.stringify(outcome));
    outcome.socket.on('error', () => undefined);
    const closed = new Promise((resolve) => outcome.socket.once('close', resolve));
    outcome.socket.write(Buffer.alloc(4096, 0xff));
    outcome.socket.resume();
    await closed;
    expect((await sprite.execFile('true')).exitCode).toBe(0);
  });
});

describe('many at once', () => {
  it('200 commands all give their own output and exit code', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const code = index % 7;
        const result = await sprite
          .execFile('sh', ['-c', `echo ${index}; exit ${code}`])
          .catch((error: unknown) => Object(error));
        return `${String(result.stdout).trim()} ${result.exitCode}`;
      }),
    );
    expect(outcomes).toEqual(Array.from({ length: 200 }, (_, index) => `${index} ${index % 7}`));
  }, 120_000);

  it('50 creations all succeed and answer', async () => {
    const sprites = await Promise.all(
      Array.from({ length: 50 }, () => client.createSprite(uniqueName('burst'))),
    );
    const answers = await Promise.all(
      sprites.map(async (one) => (await one.execFile('hostname')).stdout.trim()),
    );
    expect(answers).toEqual(sprites.map(({ name }) => name));
    await Promise.all(sprites.map((one) => one.delete()));
  }, 300_000);
});

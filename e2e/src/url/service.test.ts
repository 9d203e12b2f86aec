import { readFile } from 'node:fs/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../http.ts';
import { testServer, uniqueName } from '../server.ts';
import { hostOf, send } from './client.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
const program = await readFile(new URL('./echo.py', import.meta.url), 'utf8');

describe('the URL of a sprite with a service', () => {
  let sprite: Sprite;
  let host: string;
  const path = (rest: string): string => `/v1/sprites/${sprite.name}/services${rest}`;
  const port = async (): Promise<number> => {
    const answer = await send(host);
    expect(answer).toMatchObject({ status: 200 });
    return JSON.parse(answer.body).port;
  };

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('svc'), { urlSettings: { auth: 'public' } });
    host = hostOf((await client.getSprite(sprite.name)).url ?? '');
    await sprite.execFile('sh', ['-c', 'cat > echo.py'], { input: program });
    const body = { cmd: 'python3', args: ['echo.py', '3000'], dir: '/home/sprite', http_port: 3000 };
    await call(server, 'PUT', path('/web?duration=0'), { body: JSON.stringify(body) });
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('leads to the service’s port, and waits until it listens', async () => {
    expect(await port()).toBe(3000);
  });

  it('starts the service when it was stopped', async () => {
    await call(server, 'POST', path('/web/stop'));
    expect(await port()).toBe(3000);
  });

  it('wakes a cold sprite and waits for its service', async () => {
    await sprite.sleep({ to: 'cold' });
    expect(await port()).toBe(3000);
  });

  it('wakes a warm sprite, whose programs go on', async () => {
    expect(await port()).toBe(3000);
    await sprite.sleep();
    expect((await client.getSprite(sprite.name)).status).toBe('warm');
    expect(await port()).toBe(3000);
  });

  it('answers twenty requests that come while it sleeps', async () => {
    await sprite.sleep({ to: 'cold' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(host)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });

  it('says that the service does not listen', async () => {
    const body = { cmd: 'sleep', args: ['1000'], http_port: 3000 };
    await call(server, 'PUT', path('/web?duration=0'), { body: JSON.stringify(body) });
    const answer = await send(host);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('its service does not listen there');
  });
});

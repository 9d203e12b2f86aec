import { type Sprite, type SpriteEvent, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { call } from '../http.ts';

/** A busy host takes its time. */
const patiently = { timeout: 30_000 };

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_WARM_AFTER_S: '1', SPRITES_COLD_AFTER_S: 'never' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
}, 120_000);

// Closing throws when anything is left in the kernel.
afterAll(async () => {
  await server?.close();
}, 120_000);

type Info = NonNullable<Sprite['info']>;

async function infoOf(sprite: Sprite): Promise<Info> {
  const { info } = await client.getSprite(sprite.name);
  if (info === undefined) throw new Error('no facts');
  return info;
}

async function until(sprite: Sprite, status: 'cold' | 'warm' | 'running'): Promise<Info> {
  await expect.poll(async () => (await infoOf(sprite)).status, patiently).toBe(status);
  return infoOf(sprite);
}

async function eventsOf(sprite: Sprite): Promise<SpriteEvent[]> {
  const all: SpriteEvent[] = [];
  for await (const event of await sprite.events()) all.push(event);
  return all;
}

async function sh(sprite: Sprite, script: string): Promise<string> {
  return (await sprite.execFile('sh', ['-c', script])).stdout;
}

describe('an idle sprite', () => {
  it('says why it is awake, when it sleeps, and what woke it', async () => {
    const sprite = await client.createSprite('says');
    const sleeping = sprite.spawn('sleep', ['60'], { stdin: false });
    sleeping.on('error', () => undefined);
    await expect
      .poll(
        async () => (await infoOf(sprite)).lifecycle.heldBy.map(({ kind, label }) => `${kind} ${label}`),
        patiently,
      )
      .toEqual(expect.arrayContaining(['connection exec', 'session sleep 60']));
    const held = await infoOf(sprite);
    expect(held.lifecycle).toMatchObject({ state: 'running', lastWake: { kind: 'cold', cause: 'exec' } });
    expect(held.lifecycle.sleepsAt).toBeUndefined();
    sleeping.kill();
    await sleeping.wait().catch(() => undefined);
    // the connection ends a moment later; then there is a time at which it sleeps
    await expect.poll(async () => (await infoOf(sprite)).lifecycle.sleepsAt, patiently).toBeInstanceOf(Date);
    const warm = await until(sprite, 'warm');
    expect(warm.lifecycle).toMatchObject({ heldBy: [], lastSleep: { kind: 'warm', cause: 'idle for 1 s' } });
    expect(warm.lastWarmingAt?.getTime()).toBe(warm.lifecycle.since.getTime());
    expect(await sh(sprite, 'echo back')).toBe('back\n');
    expect((await infoOf(sprite)).lifecycle.lastWake).toMatchObject({ kind: 'warm', cause: 'exec' });
    const types = (await eventsOf(sprite)).map(({ type, details }) => [
      type,
      details.from ?? details.to ?? '',
    ]);
    expect(types.slice(0, 4)).toEqual([
      ['created', ''],
      ['woke', 'cold'],
      ['slept', 'warm'],
      ['woke', 'warm'],
    ]);
  });

  it('stays awake while output flows, also of a session nobody is connected to', async () => {
    const sprite = await client.createSprite('flows');
    const line = 'i=0; while [ $i -lt 40 ]; do echo $i; i=$((i + 1)); sleep 0.1; done; echo done > /tmp/done';
    const command = sprite.spawn('sh', ['-c', line], { detachable: true, stdin: false });
    command.on('error', () => undefined);
    await new Promise((resolve) => command.stdout.once('data', resolve));
    command.detach();
    await command.wait().catch(() => undefined);
    await until(sprite, 'warm');
    expect(await sh(sprite, 'cat /tmp/done')).toBe('done\n');
    const sleeps = (await eventsOf(sprite)).filter(({ type }) => type === 'slept');
    expect(sleeps).toHaveLength(1);
  });

  it('stays awake for a task of a program inside, until it ends', async () => {
    const sprite = await client.createSprite('tasked');
    const api = 'curl -s --unix-socket /.sprite/api.sock http://sprite/v1/tasks';
    await sh(sprite, `${api} -d '{"name":"agent","expire":"3s"}'`);
    await expect
      .poll(async () => (await infoOf(sprite)).lifecycle.heldBy, patiently)
      .toContainEqual(expect.objectContaining({ kind: 'task', label: 'agent', until: expect.any(Date) }));
    const [hold] = (await infoOf(sprite)).lifecycle.heldBy.filter(({ kind }) => kind === 'task');
    const warm = await until(sprite, 'warm');
    expect(warm.lifecycle.since.getTime()).toBeGreaterThanOrEqual(hold?.until?.getTime() ?? Number.NaN);
  });

  it('tells of its tasks when it was sent to sleep with them, and stays asleep', async () => {
    const sprite = await client.createSprite('sent');
    const api = 'curl -s --unix-socket /.sprite/api.sock http://sprite/v1/tasks';
    await sh(sprite, `${api} -d '{"name":"agent","expire":"10m"}'`);
    await expect
      .poll(async () => (await infoOf(sprite)).lifecycle.heldBy, patiently)
      .toContainEqual(expect.objectContaining({ kind: 'task' }));
    const tasks = `/v1/sprites/${sprite.name}/tasks`;
    const read = async (path: string): Promise<unknown> =>
      await (
        await fetch(`${server.baseUrl}${path}`, { headers: { authorization: `Bearer ${server.token}` } })
      ).json();
    const awake = await read(tasks);
    await call(shared(), 'POST', `/v1/sprites/${sprite.name}/sleep`);
    expect(await read(tasks)).toEqual(awake);
    expect(await read(`${tasks}/agent`)).toMatchObject({ name: 'agent' });
    expect((await call(shared(), 'GET', `${tasks}/other`)).status).toBe(404);
    expect((await infoOf(sprite)).status).toBe('warm');
  });

  it('is not woken by reads, and is by files, sessions and commands', async () => {
    const sprite = await client.createSprite('reads', { idle: { warmAfterS: 2 } });
    const session = sprite.spawn('sh', ['-c', 'read line; echo got $line'], { detachable: true });
    session.on('error', () => undefined);
    await expect.poll(async () => (await sprite.listSessions()).length, patiently).toBe(1);
    const id = session.sessionId ?? '';
    session.detach();
    await session.wait().catch(() => undefined);
    await until(sprite, 'warm');
    await client.listSprites();
    await eventsOf(sprite);
    await sprite.listCheckpoints();
    await call(shared(), 'GET', `/v1/sprites/${sprite.name}/tasks`);
    expect((await infoOf(sprite)).status).toBe('warm');
    const again = sprite.attachSession(id, { tty: false });
    let output = '';
    again.stdout.on('data', (bytes: Uint8Array) => {
      output += Buffer.from(bytes).toString();
    });
    again.stdin.write('it\n');
    expect(await again.wait()).toBe(0);
    expect(output).toContain('got it');
    expect((await infoOf(sprite)).lifecycle.lastWake).toMatchObject({ kind: 'warm', cause: 'attach' });
  });

  it('is checkpointed without a wake, forked, restored and deleted while it is warm', async () => {
    const sprite = await client.createSprite('kept');
    await sh(sprite, 'echo one > ~/file; sync');
    await until(sprite, 'warm');
    const first = await sprite.checkpoint();
    const copy = await sprite.fork('kept-copy');
    expect((await infoOf(sprite)).status).toBe('warm');
    expect(await sh(copy, 'cat ~/file')).toBe('one\n');
    await sh(sprite, 'echo two > ~/file');
    await until(sprite, 'warm');
    await sprite.restore(first.id);
    expect(await sh(sprite, 'cat ~/file')).toBe('one\n');
    await until(sprite, 'warm');
    await sprite.delete();
    await expect(client.getSprite('kept')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('is woken once for fifty requests at the same time, and all are answered', async () => {
    const sprite = await client.createSprite('storm');
    await sh(sprite, 'true');
    await until(sprite, 'warm');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => sprite.execFile('echo', [`${i}`])),
    );
    expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}\n`));
    const wakes = (await eventsOf(sprite)).filter(({ details }) => details.from === 'warm');
    expect(wakes).toHaveLength(1);
  });
});

/** The server in the shape of the one that tests share. */
function shared(): Parameters<typeof call>[0] {
  return { baseURL: server.baseUrl, token: server.token, otherToken: '' };
}

describe('sleep, wake and idle windows by hand', () => {
  it('puts a busy sprite to sleep, tells its clients, and lets it go on at the next use', async () => {
    const sprite = await client.createSprite('forced', { idle: { warmAfterS: 'never' } });
    const command = sprite.spawn('sh', ['-c', 'read line; echo $line > /tmp/line; sleep 60'], {
      detachable: true,
    });
    command.on('error', () => undefined);
    await expect.poll(async () => (await sprite.listSessions()).length, patiently).toBe(1);
    const told = expect(command.wait()).rejects.toThrow('put to sleep');
    expect((await sprite.sleep()).info?.lifecycle).toMatchObject({
      state: 'warm',
      lastSleep: { cause: 'asked for' },
    });
    await told;
    expect((await sprite.wake()).status).toBe('running');
    const sessions = await sprite.listSessions();
    expect(sessions.map(({ id }) => id)).toEqual([command.sessionId]);
    expect((await sprite.sleep({ to: 'cold' })).status).toBe('cold');
    expect((await sprite.sleep()).status).toBe('cold');
    expect(await sprite.listSessions()).toEqual([]);
    expect((await infoOf(sprite)).status).toBe('cold');
  });

  it('has its own windows, and takes back the server’s', async () => {
    const sprite = await client.createSprite('windows', { idle: { warmAfterS: 'never', coldAfterS: 5 } });
    expect(sprite.info?.idle).toEqual({ warmAfterS: 'never', coldAfterS: 5 });
    const changed = await sprite.update({ idle: { coldAfterS: null } });
    expect(changed.info?.idle).toEqual({ warmAfterS: 'never', coldAfterS: 'never' });
    await sh(sprite, 'true');
    expect((await infoOf(sprite)).lifecycle.sleepsAt).toBeUndefined();
    await sprite.update({ idle: { warmAfterS: 1, coldAfterS: 1 } });
    await until(sprite, 'cold');
    expect((await infoOf(sprite)).lifecycle.lastSleep).toEqual({ kind: 'cold', cause: 'warm for 1 s' });
  });

  it.each([
    { idle: { warm_after_s: -1 } },
    { idle: { warm_after_s: 0 } },
    { idle: { warm_after_s: 1.5 } },
    { idle: { warm_after_s: 1e12 } },
    { idle: { cold_after_s: 'always' } },
    { idle: { cold_after_s: '30' } },
    { idle: { after: 1 } },
    { idle: 'never' },
  ])('refuses $idle', async (body) => {
    await client.createSprite('refuses').catch(() => undefined);
    const answer = await call(shared(), 'PUT', '/v1/sprites/refuses', { body: JSON.stringify(body) });
    expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(answer.message).toMatch(/idle/);
  });

  it('refuses to sleep as deep as nothing is', async () => {
    const path = '/v1/sprites/refuses/sleep';
    expect(await call(shared(), 'POST', path, { body: '{"to":"frozen"}' })).toMatchObject({ status: 400 });
    expect(await call(shared(), 'GET', '/v1/sprites/refuses/events?since=yesterday')).toMatchObject({
      status: 400,
    });
    expect(await call(shared(), 'POST', '/v1/sprites/nobody/wake')).toMatchObject({ status: 404 });
  });

  it('follows events until the sprite is deleted', async () => {
    const sprite = await client.createSprite('followed');
    const stream = await sprite.events({ follow: true });
    expect((await stream.next())?.type).toBe('created');
    await sprite.wake();
    expect(await stream.next()).toMatchObject({
      id: 2,
      type: 'woke',
      details: { from: 'cold', cause: 'asked for' },
    });
    const later = await sprite.events({ since: 1 });
    expect((await later.next())?.id).toBe(2);
    const inside = await sh(
      sprite,
      'curl -s --unix-socket /.sprite/api.sock http://sprite/v1/events?since=1',
    );
    expect(JSON.parse(inside.split('\n')[0] ?? '')).toMatchObject({ id: 2, type: 'woke' });
    await sprite.delete();
    const rest = [];
    for await (const event of stream) rest.push(event.type);
    expect(rest).toEqual([]);
  });
});

describe('the command line', () => {
  it('tells why a sprite is awake or asleep, puts it to sleep and wakes it', async () => {
    const sprite = await client.createSprite('spoken', { idle: { warmAfterS: 600, coldAfterS: 600 } });
    const cli = await CommandLine.openFor(shared());
    try {
      const command = sprite.spawn('sleep', ['60'], { stdin: false });
      command.on('error', () => undefined);
      await expect
        .poll(async () => (await cli.run(['info', 'spoken'])).text, patiently)
        .toMatch(/^life +awake: connection `exec`, session \d+ `sleep 60`$/m);
      expect((await cli.run(['sleep', 'spoken'])).stderr).toContain('spoken is warm');
      await command.wait().catch(() => undefined);
      const asleep = (await cli.run(['info', 'spoken'])).text;
      expect(asleep).toMatch(/^life +asleep \(warm\) since [\d: -]+ \(asked for\), goes cold at [\d: -]+$/m);
      expect(asleep).toMatch(/^idle +warm after 600 s idle, cold after 600 s warm$/m);
      expect((await cli.run(['wake', 'spoken'])).stderr).toContain('spoken is running');
      expect((await cli.run(['info', 'spoken'])).text).toMatch(
        /^last wake +from warm in \d+ ms, for asked for$/m,
      );
      expect((await cli.run(['sleep', '--cold', 'spoken'])).code).toBe(0);
      expect((await cli.run(['idle', '--warm-after', 'never', 'spoken'])).text).toBe(
        'never sleeps, cold after 600 s warm\n',
      );
      expect((await cli.run(['idle', '--warm-after', 'soon', 'spoken'])).code).not.toBe(0);
      expect((await cli.run(['events', 'spoken'])).text).toMatch(/slept +stopped: asked for\n$/);
    } finally {
      await cli.close();
    }
  });
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

describe('services over the life of a sprite', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('life'));
    await define(sprite, 'db', []);
    await define(sprite, 'web', ['db']);
    await define(sprite, 'off', []);
    for await (const _ of await sprite.stopService('off'));
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  async function define(of: Sprite, name: string, needs: readonly string[]): Promise<void> {
    const args = ['-c', `echo "${name} on $(hostname)"; exec sleep 1000`];
    for await (const _ of await of.createService(name, { cmd: 'sh', args, needs }, '0'));
  }

  /** Status and pid of each service, once those that are to run do. */
  async function running(of: Sprite): Promise<Readonly<Record<string, string>>> {
    await expect
      .poll(async () => (await of.getService('web')).state.status, { timeout: 20_000 })
      .toBe('running');
    const list = await of.listServices();
    return Object.fromEntries(
      list.map(({ name, state }) => [name, `${state.status} ${state.pid ?? ''}`.trim()]),
    );
  }

  it('go on over a warm sleep, and start afresh after a cold one, but for those that were stopped', async () => {
    const before = await running(sprite);
    await sprite.sleep();
    expect(await running(sprite)).toEqual(before);
    await sprite.sleep({ to: 'cold' });
    const after = await running(sprite);
    expect(after).toEqual({
      db: expect.stringMatching(/^running \d+/),
      web: expect.stringMatching(/^running/),
      off: 'stopped',
    });
    const services = await sprite.listServices();
    const startedAt = (name: string): string =>
      services.find((one) => one.name === name)?.state.startedAt ?? '';
    expect(startedAt('db') <= startedAt('web')).toBe(true);
    expect(services.map(({ state }) => state.restartCount)).toEqual([0, 0, 0]);
    const log = await sprite.execFile('cat', ['/.sprite/logs/services/web.log']);
    expect(String(log.stdout).match(/ web on /g)).toHaveLength(2);
  });

  it('are part of a checkpoint and come back with it, running', async () => {
    await sprite.checkpoint();
    await define(sprite, 'later', []);
    for (const name of ['web', 'db']) await sprite.deleteService(name);
    await sprite.restore('v1');
    expect(await running(sprite)).toEqual({
      db: expect.stringMatching(/^running/),
      web: expect.stringMatching(/^running/),
      off: 'stopped',
    });
  });

  it('are part of a fork, where they run with its own name, and neither disturbs the other', async () => {
    const fork = await sprite.fork(uniqueName('fork'));
    try {
      expect(Object.keys(await running(fork))).toEqual(['db', 'off', 'web']);
      await expect
        .poll(async () => String((await fork.execFile('cat', ['/.sprite/logs/services/db.log'])).stdout))
        .toContain(`db on ${fork.name}\n`);
      await fork.deleteService('web');
      expect(Object.keys(await running(sprite))).toEqual(['db', 'off', 'web']);
    } finally {
      await fork.delete();
    }
  });

  it('run as the account they name, and one that is missing is told', async () => {
    for await (const _ of await sprite.createService(
      'who',
      { cmd: 'sh', args: ['-c', 'id -un; exec sleep 9'], user: 'root' },
      '1s',
    ));
    expect(String((await sprite.execFile('cat', ['/.sprite/logs/services/who.log'])).stdout)).toContain(
      '] root\n',
    );
    const events = [];
    for await (const event of await sprite.createService('who', { cmd: 'id', user: 'nobody-here' }, '1s'))
      events.push(event);
    expect(events.find(({ type }) => type === 'error')).toMatchObject({
      data: 'the sprite has no account nobody-here',
    });
    await sprite.deleteService('who');
  });

  it('hold their sprite while they come up, and tasks until they expire', async () => {
    for await (const _ of await sprite.restartService('web', '0'));
    await sprite.execFile('sprite-env', ['tasks', 'put', 'agent', '--expire', '5m']);
    const held = async (): Promise<readonly string[]> => {
      const lifecycle = (await client.getSprite(sprite.name)).info?.lifecycle;
      return (lifecycle?.heldBy ?? []).map((hold) => `${hold.kind} ${hold.id}`);
    };
    await expect.poll(held).toEqual(expect.arrayContaining(['service web', 'task agent']));
    await sprite.execFile('sprite-env', ['tasks', 'delete', 'agent']);
    await expect.poll(held, { timeout: 20_000 }).not.toContain('service web');
    expect(await held()).not.toContain('task agent');
  });
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { growTree, hashTree, sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

describe('a fork', () => {
  const made: Sprite[] = [];
  let sprite: Sprite;
  let saved: string;
  let live: string;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('origin'), {
      labels: ['a', 'b'],
      environment: { GREETING: 'hi' },
    });
    await growTree(sprite, 'saved');
    saved = await hashTree(sprite);
    await sprite.checkpoint();
    await growTree(sprite, 'live');
    live = await hashTree(sprite);
  });
  afterAll(async () => {
    await Promise.all([sprite, ...made].map((one) => one?.delete()));
  });

  async function fork(options: Parameters<Sprite['fork']>[1] = {}): Promise<Sprite> {
    const copy = await sprite.fork(uniqueName('fork'), options);
    made.push(copy);
    return copy;
  }

  it('of the live disk has all its files and the settings, and disturbs nothing', async () => {
    const command = sprite.spawn('cat');
    await new Promise<void>((resolve) => command.once('spawn', resolve));
    const copy = await fork();
    expect(copy.info).toMatchObject({ labels: ['a', 'b'], environment: { GREETING: 'hi' }, status: 'cold' });
    expect(await hashTree(copy)).toBe(live);
    expect(await sh(copy, 'echo $GREETING; hostname')).toBe(`hi\n${copy.name}\n`);
    const machineIds = await Promise.all([sprite, copy].map((one) => sh(one, 'cat /etc/machine-id')));
    expect(machineIds).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}\n$/),
      expect.stringMatching(/^[0-9a-f]{32}\n$/),
    ]);
    expect(new Set(machineIds).size).toBe(2);
    command.stdin.end('still here');
    expect(await command.wait()).toBe(0);
  });

  it('of a checkpoint has that one’s files', async () => {
    const copy = await fork({ checkpoint: 'v1', labels: ['c'] });
    expect(copy.labels).toEqual(['c']);
    expect(await hashTree(copy)).toBe(saved);
    expect((await copy.listCheckpoints()).map(({ id }) => id)).toEqual(['Current']);
  });

  it('holds everything that was synced before', async () => {
    await sh(sprite, 'echo just now > now; sync');
    const copy = await fork();
    expect(await sh(copy, 'cat now')).toBe('just now\n');
    await sh(sprite, 'rm now; sync');
  });

  it('lives its own life, and outlives the sprite it came from', async () => {
    const first = await fork({ checkpoint: 'v1' });
    const second = await first.fork(uniqueName('fork'));
    made.push(second);
    await sh(first, 'echo mine > mine');
    expect(await sh(second, 'ls')).toBe('tree\n');
    made.splice(made.indexOf(first), 1);
    await first.delete();
    expect(await hashTree(second)).toBe(saved);
    expect((await second.checkpoint()).id).toBe('v1');
  });

  it.each([{ checkpoint: 'v1' }, {}])(
    'can be made ten times at once with %j',
    async (options) => {
      const copies = await Promise.all(Array.from({ length: 10 }, () => fork(options)));
      const hashes = await Promise.all(copies.map(hashTree));
      expect(new Set(hashes)).toEqual(new Set([options.checkpoint === undefined ? live : saved]));
      const names = await Promise.all(copies.map((copy) => sh(copy, 'hostname')));
      expect(names).toEqual(copies.map(({ name }) => `${name}\n`));
      for (const copy of copies) made.splice(made.indexOf(copy), 1);
      await Promise.all(copies.map((copy) => copy.delete()));
    },
    120_000,
  );
});

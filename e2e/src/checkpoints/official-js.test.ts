import { type Sprite, SpritesClient } from '@fly/sprites';
import { SpritesClient as OurClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();

describe('checkpoints through the official JS SDK', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await new SpritesClient(token, { baseURL }).createSprite(uniqueName('jscp'));
    await sprite.execFile('sh', ['-c', 'echo one > file']);
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('are created with and without a comment, listed, filtered and got', async () => {
    const types: string[] = [];
    await (await sprite.createCheckpoint('with a comment')).processAll((message) => {
      types.push(message.type);
    });
    for await (const message of await sprite.createCheckpoint()) types.push(message.type);
    expect(types).toEqual(['info', 'complete', 'info', 'complete']);
    const list = await sprite.listCheckpoints();
    expect(list.map(({ id }) => id)).toEqual(['Current', 'v2', 'v1']);
    expect((await sprite.listCheckpoints('v2')).map(({ id }) => id)).toEqual(['Current', 'v2']);
    const first = await sprite.getCheckpoint('v1');
    expect(first).toMatchObject({ id: 'v1', comment: 'with a comment', isAuto: false, health: '' });
    expect(first.createTime.getTime()).toBeGreaterThan(Date.now() - 600_000);
  });

  it('are restored, and what is unknown is not found', async () => {
    await sprite.execFile('sh', ['-c', 'echo two > file; touch later']);
    const stream = await sprite.restoreCheckpoint('v1');
    let last = await stream.next();
    for (let next = last; next !== null; next = await stream.next()) last = next;
    expect(last).toMatchObject({ type: 'complete', data: 'Checkpoint v1 restored' });
    expect((await sprite.execFile('sh', ['-c', 'cat file; ls'])).stdout).toBe('one\nfile\n');
    await expect(sprite.getCheckpoint('v9')).rejects.toThrow('Checkpoint not found: v9');
    await expect(sprite.restoreCheckpoint('v9')).rejects.toThrow('status 404');
  });

  it('cannot be used while another client restores', async () => {
    const stream = await new OurClient(token, { baseURL }).sprite(sprite.name).restoreCheckpoint('v2');
    await stream.next();
    await expect(sprite.createCheckpoint()).rejects.toThrow('status 409');
    await expect(sprite.restoreCheckpoint('v1')).rejects.toThrow('status 409');
    await stream.wait();
  });
});

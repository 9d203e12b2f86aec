import { APIError, type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token, otherToken } = testServer();
const client = new SpritesClient(token, { baseURL });

async function failure(call: Promise<unknown>): Promise<APIError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof APIError) return error;
  throw error;
}

describe('sprites through our SDK', () => {
  const name = uniqueName('sdk');
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(name, { labels: ['one'], environment: { GREETING: 'hi' } });
  });
  afterAll(async () => {
    await client.deleteSprite(name).catch(() => undefined);
  });

  it('describes a new sprite', () => {
    expect(sprite).toMatchObject({ name, status: 'cold', labels: ['one'], environment: { GREETING: 'hi' } });
    expect(sprite.id).toMatch(/^sprite_/);
    expect(sprite.createdAt).toBeInstanceOf(Date);
  });

  it('gets and lists it', async () => {
    expect((await client.getSprite(name)).id).toBe(sprite.id);
    const page = await client.listSprites({ prefix: name, maxResults: 1 });
    expect(page.sprites.map((info) => info.id)).toEqual([sprite.id]);
    expect((await client.listAllSprites(name)).map((one) => one.id)).toEqual([sprite.id]);
  });

  it('changes labels and URL settings, and leaves the rest', async () => {
    expect((await sprite.update({ labels: ['two'] })).labels).toEqual(['two']);
    await sprite.updateURLSettings({ auth: 'public' });
    expect(await client.getSprite(name)).toMatchObject({ labels: ['two'], urlSettings: { auth: 'public' } });
  });

  it('gives commands the environment of the sprite', async () => {
    const { stdout } = await sprite.execFile('sh', ['-c', 'echo $GREETING']);
    expect(stdout).toBe('hi\n');
  });

  it('checks its health', async () => {
    expect(await sprite.check()).toMatchObject({ spriteName: name, status: 'ok' });
  });

  it('restarts its machine and keeps its files', async () => {
    await sprite.execFile('sh', ['-c', 'echo kept > kept.txt']);
    expect((await sprite.restart()).spriteName).toBe(name);
    expect((await sprite.exec('cat kept.txt')).stdout).toBe('kept\n');
  });

  it('upgrades it', async () => {
    await sprite.upgrade();
    expect((await sprite.exec('cat kept.txt')).stdout).toBe('kept\n');
  });

  it('refuses a second sprite of the name with sprite_already_exists', async () => {
    const error = await failure(client.createSprite(name));
    expect(error).toMatchObject({ statusCode: 409, errorCode: 'sprite_already_exists' });
    expect(error.requestId).toMatch(/^req_/);
  });

  it('hides it from another organisation', async () => {
    const other = new SpritesClient(otherToken, { baseURL });
    expect(await failure(other.getSprite(name))).toMatchObject({
      statusCode: 404,
      errorCode: 'sprite_not_found',
    });
    expect(await failure(other.sprite(name).exec('true'))).toMatchObject({ errorCode: 'sprite_not_found' });
    expect(await other.listAllSprites(name)).toEqual([]);
  });

  it('refuses a bad token with unauthorized', async () => {
    const stranger = new SpritesClient('personal/x/y/z', { baseURL });
    expect(await failure(stranger.getSprite(name))).toMatchObject({
      statusCode: 401,
      errorCode: 'unauthorized',
    });
    expect(await failure(stranger.sprite(name).exec('true'))).toMatchObject({ statusCode: 401 });
  });

  it('refuses an impossible name with invalid_request', async () => {
    expect(await failure(client.createSprite('No.Such'))).toMatchObject({
      statusCode: 400,
      errorCode: 'invalid_request',
    });
  });
});

describe('watching and deleting through our SDK', () => {
  it('tells of a new sprite and of its end', async () => {
    const name = uniqueName('watch');
    const stream = await client.watchSprites({ prefix: name });
    const seen: string[] = [];
    const watching = stream.processAll((event) => {
      if (event.name === name) seen.push(event.type ?? event.status ?? '');
    });
    await client.createSprite(name);
    await expect.poll(() => seen).toContain('cold');
    await client.deleteSprite(name);
    await expect.poll(() => seen).toContain('deleted');
    stream.close();
    await watching;
  });

  it('no longer knows a deleted sprite', async () => {
    const name = uniqueName('gone');
    const sprite = await client.createSprite(name);
    await sprite.exec('true');
    await sprite.destroy();
    expect(await failure(client.getSprite(name))).toMatchObject({ statusCode: 404 });
    expect(await failure(sprite.exec('true'))).toMatchObject({ errorCode: 'sprite_not_found' });
    expect(await failure(client.deleteSprite(name))).toMatchObject({ statusCode: 404 });
  });
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../http.ts';
import { testServer, uniqueName } from '../server.ts';
import { failure } from './failure.ts';
import { sh } from './tree.ts';

const server = testServer();
const { baseURL, token, otherToken } = server;
const client = new SpritesClient(token, { baseURL });

async function ids(sprite: Sprite, options: { history?: string; includeAuto?: boolean } = {}) {
  const list = await sprite.listCheckpoints(options);
  return list.map(({ id }) => id.replace(/^auto-.*/, 'auto'));
}

describe('checkpoints of a sprite', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('cp'));
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('are numbered, keep their comments, and stop nothing', async () => {
    const ticking = sprite.spawn('sh', ['-c', 'while :; do echo tick; sleep 0.02; done'], { stdin: false });
    let ticks = 0;
    ticking.stdout.on('data', () => ticks++);
    await expect.poll(() => ticks).toBeGreaterThan(0);
    const first = await sprite.checkpoint('before „everything“ 🙂');
    const second = await sprite.checkpoint();
    const seen = ticks;
    await expect.poll(() => ticks).toBeGreaterThan(seen);
    ticking.kill();
    await ticking.wait().catch(() => undefined);
    expect(first).toMatchObject({ id: 'v1', comment: 'before „everything“ 🙂', history: [], isAuto: false });
    expect(second).toMatchObject({ id: 'v2', sourceId: 'v1', history: ['v1'], health: '' });
    expect(second.createTime.getTime()).toBeGreaterThanOrEqual(first.createTime.getTime());
    expect(await ids(sprite)).toEqual(['Current', 'v2', 'v1']);
    expect(await sprite.getCheckpoint('Current')).toMatchObject({ sourceId: 'v2', history: ['v1', 'v2'] });
  });

  it('stream their making, and name the checkpoint at the end', async () => {
    const messages = [];
    for await (const message of await sprite.createCheckpoint('third')) messages.push(message);
    expect(messages[0]).toMatchObject({ type: 'info' });
    expect(messages.at(-1)).toMatchObject({
      type: 'complete',
      data: 'Checkpoint v3 created',
      checkpointId: 'v3',
    });
  });

  it('are listed by history, and automatic ones only when asked for', async () => {
    await sprite.restore('v1');
    await sprite.checkpoint('beside v2');
    expect(await ids(sprite)).toEqual(['Current', 'v4', 'v3', 'v2', 'v1']);
    expect(await ids(sprite, { includeAuto: true })).toEqual(['Current', 'v4', 'auto', 'v3', 'v2', 'v1']);
    expect(await ids(sprite, { history: 'v2' })).toEqual(['v3', 'v2']);
    expect(await ids(sprite, { history: 'v4' })).toEqual(['Current', 'v4']);
    expect(await ids(sprite, { history: 'v77' })).toEqual([]);
  });

  it('can be deleted, but not the one that the disk is based on', async () => {
    await sprite.deleteCheckpoint('v2');
    expect(await ids(sprite)).toEqual(['Current', 'v4', 'v3', 'v1']);
    expect(await failure(sprite.getCheckpoint('v2'))).toMatchObject({ errorCode: 'checkpoint_not_found' });
    expect(await failure(sprite.deleteCheckpoint('v2'))).toMatchObject({ statusCode: 404 });
    expect(await failure(sprite.deleteCheckpoint('v4'))).toMatchObject({
      statusCode: 409,
      errorCode: 'checkpoint_in_use',
    });
    expect((await sprite.checkpoint()).id).toBe('v5');
  });

  it('of a cold sprite are made and listed without waking it', async () => {
    await sprite.upgrade();
    const made = await sprite.checkpoint();
    expect(await ids(sprite)).toContain(made.id);
    expect((await client.getSprite(sprite.name)).status).toBe('cold');
  });

  it('made at once are all made', async () => {
    await sh(sprite, 'true');
    const made = await Promise.all(Array.from({ length: 8 }, () => sprite.checkpoint()));
    expect(new Set(made.map(({ id }) => id)).size).toBe(8);
  });
});

describe('bad input about checkpoints', () => {
  let sprite: Sprite;
  let other: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('cpa'));
    other = await client.createSprite(uniqueName('cpb'));
    await sprite.checkpoint();
    for (let i = 0; i < 2; i++) await other.checkpoint();
  });
  afterAll(async () => {
    await Promise.all([sprite?.delete(), other?.delete()]);
  });

  it.each([
    'v9',
    'v2',
    'v01',
    'v1.ext4',
    'auto-1',
    '%2e%2e',
    '..%2fv1',
    'v1%00',
    '%2F',
    '%2Fetc%2Fpasswd',
    'v1%2f..%2fv1',
    `v${'1'.repeat(400)}`,
    '%ff',
    ' ',
  ])('finds no checkpoint %s, another sprite’s neither', async (id) => {
    const path = `/v1/sprites/${sprite.name}/checkpoints/${id}`;
    for (const [method, target] of [
      ['GET', path],
      ['DELETE', path],
      ['POST', `${path}/restore`],
    ] as const) {
      const answer = await call(server, method, target.replace(' ', '%20'), {});
      expect([400, 404], `${method} ${target}: ${answer.status} ${answer.message}`).toContain(answer.status);
    }
  });

  it.each(['/../v1', '/..', '//', '/v1/..', '/../../../v1'])('takes no way around by %s', async (rest) => {
    for (const suffix of ['', '/restore']) {
      const answer = await call(server, 'POST', `/v1/sprites/${sprite.name}/checkpoints${rest}${suffix}`);
      expect([400, 404, 405]).toContain(answer.status);
    }
    expect(await ids(sprite, { includeAuto: true })).toEqual(['Current', 'v1']);
  });

  it('restores and deletes no live disk', async () => {
    expect(await failure(sprite.restore('Current'))).toMatchObject({ statusCode: 404 });
    expect(await failure(sprite.deleteCheckpoint('Current'))).toMatchObject({ statusCode: 404 });
  });

  it.each([
    ['of 10 KB', 'x'.repeat(10_240)],
    ['with a line break', 'one\ntwo'],
    ['with an escape', '\u001b[31mred'],
    ['with NUL', 'a\u0000'],
    ['with C1', 'a\u0085'],
  ])('refuses a comment %s', async (_, comment) => {
    expect(await failure(sprite.createCheckpoint(comment))).toMatchObject({
      statusCode: 400,
      errorCode: 'invalid_request',
      message: expect.stringContaining('comment'),
    });
  });

  it.each(['{', '[]', '{"comment":1}', '{"comment":"x","more":1}', '"v1"'])(
    'refuses the body %s',
    async (body) => {
      const answer = await call(server, 'POST', `/v1/sprites/${sprite.name}/checkpoint`, { body });
      expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  it('hides checkpoints from another organisation', async () => {
    const stranger = new SpritesClient(otherToken, { baseURL }).sprite(sprite.name);
    const calls = [
      stranger.createCheckpoint(),
      stranger.listCheckpoints(),
      stranger.getCheckpoint('v1'),
      stranger.restoreCheckpoint('v1'),
      stranger.deleteCheckpoint('v1'),
      stranger.fork(uniqueName('stolen')),
      stranger.fork(uniqueName('stolen'), { checkpoint: 'v1' }),
    ];
    for (const error of await Promise.all(calls.map(failure))) {
      expect(error).toMatchObject({ statusCode: 404, errorCode: 'sprite_not_found' });
    }
  });

  it('refuses forks to taken and bad names, and from what is not there', async () => {
    const name = uniqueName('fork');
    const tries = [
      [() => sprite.fork(other.name), 409, 'sprite_already_exists'],
      [() => sprite.fork(sprite.name), 409, 'sprite_already_exists'],
      [() => sprite.fork('No.Such'), 400, 'invalid_request'],
      [() => sprite.fork('../up'), 400, 'invalid_request'],
      [() => sprite.fork(name, { checkpoint: 'v2' }), 404, 'checkpoint_not_found'],
      [() => sprite.fork(name, { checkpoint: '../v1' }), 400, 'invalid_request'],
      [() => sprite.fork(name, { checkpoint: 'Current' }), 400, 'invalid_request'],
      [() => client.sprite('no-such-sprite').fork(name), 404, 'sprite_not_found'],
      [
        () => client.createSprite(name, { image: 'minimal', from: { sprite: sprite.name } }),
        400,
        'invalid_request',
      ],
    ] as const;
    for (const [tried, statusCode, errorCode] of tries) {
      expect(await failure(tried())).toMatchObject({ statusCode, errorCode });
    }
    expect(await failure(client.getSprite(name))).toMatchObject({ statusCode: 404 });
  });
});

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { failure } from './failure.ts';
import { checkpointFile, exists, flipAt } from './on-disk.ts';
import { sh } from './tree.ts';

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_DISK_GB: '1', SPRITES_VERIFY: 'off' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});
afterAll(async () => {
  await server?.close();
}, 120_000);

/** Waits until the server has made the checksums of a checkpoint behind its answer. */
async function summed(sprite: Sprite, id: string): Promise<void> {
  const file = checkpointFile(server, sprite, id, 'sums');
  await expect.poll(() => exists(file), { timeout: 30_000 }).toBe(true);
}

async function damage(sprite: Sprite, id: string): Promise<void> {
  await flipAt(checkpointFile(server, sprite, id), 'unmistakable');
}

async function create(name: string): Promise<Sprite> {
  const sprite = await client.createSprite(name);
  await sh(sprite, 'yes unmistakable | head -c 3M > file; sync');
  return sprite;
}

describe('verification', () => {
  it('finds what changed in a checkpoint, names it, and keeps it from being used', async () => {
    const sprite = await create('one');
    for (let i = 0; i < 3; i++) await sprite.checkpoint();
    for (const id of ['v1', 'v2', 'v3']) await summed(sprite, id);
    const said: (string | undefined)[] = [];
    const end = await (await sprite.verifyCheckpoints()).wait(({ data }) => said.push(data));
    expect(said).toEqual(['comparing 3 checkpoints …', 'v1 is good', 'v2 is good', 'v3 is good']);
    expect(end.data).toBe('3 checkpoints are good');

    // a file of its own: the others share nothing of what is flipped
    await damage(sprite, 'v2');
    const error = await failure((await sprite.verifyCheckpoints(['v1', 'v2'])).wait());
    expect(error).toMatchObject({ errorCode: 'checkpoint_damaged' });
    expect(error.message).toMatch(
      /^damaged: v2 \(1 of \d+ MiB do not match .*\); the newest good one is v3$/,
    );
    expect((await sprite.getCheckpoint('v2')).health).toMatch(/^1 of/);

    for (const refused of [() => sprite.restore('v2'), () => sprite.fork('copy', { checkpoint: 'v2' })]) {
      const refusal = await failure(refused());
      expect(refusal).toMatchObject({ statusCode: 409, errorCode: 'checkpoint_damaged' });
      expect(refusal.message).toMatch(/v2 of sprite one is damaged .*; the newest good one is v3$/);
    }
    await (await sprite.verifyCheckpoints(['v1', 'v3'])).wait();
    await sprite.restore('v3');
    expect(await sh(sprite, 'head -1 file')).toBe('unmistakable\n');
    await sprite.deleteCheckpoint('v2');
    await (await sprite.verifyCheckpoints()).wait();
  });

  it('is offered on the command line, and refuses what is no checkpoint', async () => {
    const sprite = await create('two');
    await sprite.checkpoint();
    await summed(sprite, 'v1');
    const cli = await CommandLine.openFor({ baseURL: server.baseUrl, token: server.token });
    await using _ = { [Symbol.asyncDispose]: () => cli.close() };
    const good = await cli.run(['checkpoint', 'verify', '-s', 'two']);
    expect(good).toMatchObject({
      code: 0,
      text: '',
      stderr: expect.stringMatching(/✓ 1 checkpoint is good/),
    });
    await damage(sprite, 'v1');
    const bad = await cli.run(['checkpoint', 'verify', '-s', 'two', 'v1']);
    expect(bad).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/damaged: v1 .*there is no good one/),
    });
    expect((await cli.run(['checkpoint', '-s', 'two'])).text).toMatch(/v1 .*damaged: 1 of/);
    const unknown = await failure(sprite.verifyCheckpoints(['v1', 'v9']));
    expect(unknown).toMatchObject({ statusCode: 404, errorCode: 'checkpoint_not_found' });
    for (const id of ['../v1', 'Current', '']) {
      expect(await failure(sprite.verifyCheckpoints([id]))).toMatchObject({ statusCode: 400 });
    }
  });

  it('has checksums also of checkpoints after which the server was killed, and counts them', async () => {
    const sprite = await create('three');
    await sprite.checkpoint();
    await server.kill9();
    expect(await exists(checkpointFile(server, sprite, 'v1', 'sums'))).toBe(false);
    await server.restart();
    await summed(sprite, 'v1');
    const metrics = await (await fetch(`${server.baseUrl}/metrics`)).text();
    expect(metrics).toMatch(/sprites_checkpoint_checksums_total\{type="made",result="good"\} [1-9]/);
  });
});

it('is done by itself at the time that is set, and tells of damage', async () => {
  await using other = await startTestServer({ settings: { SPRITES_DISK_GB: '1', SPRITES_VERIFY: '1s' } });
  const sprite = await new SpritesClient(other.token, { baseURL: other.baseUrl }).createSprite('four');
  await sh(sprite, 'yes unmistakable | head -c 1M > file; sync');
  await sprite.checkpoint();
  const file = checkpointFile(other, sprite, 'v1');
  await expect.poll(() => exists(file.replace('.ext4', '.sums')), { timeout: 30_000 }).toBe(true);
  await flipAt(file, 'unmistakable');
  await expect.poll(async () => (await sprite.getCheckpoint('v1')).health, { timeout: 30_000 }).not.toBe('');
  const events = await fetch(`${other.baseUrl}/v1/sprites/four/events`, {
    headers: { authorization: `Bearer ${other.token}` },
  });
  expect(await events.text()).toMatch(/"type":"warning","message":"checkpoint v1 is damaged: 1 of/);
}, 120_000);

import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { failure } from './failure.ts';
import { growTree, hashTree, sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

/** Id of the newest automatic checkpoint. */
async function newestAuto(sprite: Sprite): Promise<string> {
  const all = await sprite.listCheckpoints({ includeAuto: true });
  return all.find(({ isAuto }) => isAuto)?.id ?? '';
}

describe('restore', () => {
  let sprite: Sprite;
  let before: string;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('restore'));
    await growTree(sprite, 'old');
    before = await hashTree(sprite);
    await sprite.checkpoint('old');
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('brings back what was, removes what came later, and can itself be undone', async () => {
    await growTree(sprite, 'new');
    await sh(
      sprite,
      'echo later > /home/sprite/later; sudo rm /usr/bin/tac; echo unsynced > /home/sprite/loose',
    );
    const after = await hashTree(sprite);
    const messages = [];
    for await (const message of await sprite.restoreCheckpoint('v1')) messages.push(message);
    expect(messages.at(-1)).toMatchObject({ type: 'complete', checkpointId: 'v1' });
    expect(await hashTree(sprite)).toBe(before);
    expect(await sh(sprite, 'ls /usr/bin/tac; ls /home/sprite')).toBe('/usr/bin/tac\ntree\n');

    const undo = await newestAuto(sprite);
    expect(messages.some(({ data }) => data?.includes(undo))).toBe(true);
    expect(await sprite.getCheckpoint(undo)).toMatchObject({ isAuto: true, comment: 'before restore of v1' });
    await sprite.restore(undo);
    expect(await hashTree(sprite)).toBe(after);
    expect(
      await sh(sprite, 'cat /home/sprite/later /home/sprite/loose; ls /usr/bin/tac 2>&1 || true'),
    ).toMatch(/^later\nunsynced\n.*No such file/);
    await sprite.restore('v1');
    expect(await hashTree(sprite)).toBe(before);
  });

  it('ends sessions and tells their clients', async () => {
    const command = sprite.spawn('sh', ['-c', 'echo up; exec sleep 1000'], {
      stdin: false,
      detachable: true,
    });
    await new Promise((resolve) => command.stdout.once('data', resolve));
    const ended = command.wait().catch((error: unknown) => error);
    await sprite.restore('v1');
    expect(await ended).toMatchObject({ name: 'ConnectionError', code: 'closed' });
    expect(await sprite.listSessions()).toEqual([]);
  });

  it('answers commands that come meanwhile when it is done', async () => {
    await sh(sprite, 'echo later > later');
    const stream = await sprite.restoreCheckpoint('v1');
    await stream.next();
    const listed = expect.poll(() => sh(sprite, 'ls').catch(() => 'again'), { timeout: 20_000 });
    await Promise.all([listed.toBe('tree\n'), stream.wait()]);
  });

  it('lets one of two at once through, and no checkpoint, fork or deletion', async () => {
    const outcomes = await Promise.allSettled([sprite.restore('v1'), sprite.restore('v1')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(refused?.reason).toMatchObject({ statusCode: 409, errorCode: 'operation_in_progress' });

    const stream = await sprite.restoreCheckpoint('v1');
    await stream.next();
    const calls = [
      sprite.createCheckpoint(),
      sprite.fork(uniqueName('never')),
      sprite.deleteCheckpoint('v1'),
      sprite.restoreCheckpoint('v1'),
    ];
    for (const error of await Promise.all(calls.map(failure))) {
      expect(error).toMatchObject({ statusCode: 409, errorCode: 'operation_in_progress' });
    }
    await stream.wait();
    expect(await hashTree(sprite)).toBe(before);
  });

  it('goes on when its client leaves', async () => {
    await sh(sprite, 'echo later > later');
    const abort = new AbortController();
    const stream = await sprite.restoreCheckpoint('v1', { signal: abort.signal });
    await stream.next();
    abort.abort();
    await expect.poll(() => sh(sprite, 'ls').catch(() => 'again')).toBe('tree\n');
  });

  it('of a cold sprite boots it once, with the restored disk', async () => {
    await growTree(sprite, 'new');
    await sprite.upgrade();
    const cold = await client.getSprite(sprite.name);
    expect(cold.status).toBe('cold');
    await sprite.restore('v1');
    const { info } = await client.getSprite(sprite.name);
    expect(info).toMatchObject({ status: 'running', incarnation: (cold.info?.incarnation ?? 0) + 1 });
    expect(await hashTree(sprite)).toBe(before);
  });

  it('keeps every line that a writer was told is safe', async () => {
    const script = `import os, sys
f = open('/home/sprite/lines', 'a')
n = 0
while True:
    n += 1
    f.write(f'{n}\\n'); f.flush(); os.fsync(f.fileno())
    print(n, flush=True)`;
    const writer = sprite.spawn('python3', ['-c', script], { stdin: false });
    let said = '';
    writer.stdout.on('data', (chunk) => {
      said += chunk;
    });
    writer.on('error', () => undefined);
    await expect.poll(() => said.length).toBeGreaterThan(50);
    await sprite.restore('v1');
    await writer.wait().catch(() => undefined);
    const acknowledged = said.slice(0, said.lastIndexOf('\n')).split('\n').length;
    expect(await hashTree(sprite)).toBe(before);
    await sprite.restore(await newestAuto(sprite));
    const lines = (await sh(sprite, 'cat lines')).trim().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(acknowledged);
    expect(lines.slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, i) => `${i + 1}`));
  });

  it('goes back and forth twenty times without a difference', async () => {
    await growTree(sprite, 'other');
    const other = await hashTree(sprite);
    const { id } = await sprite.checkpoint();
    for (let round = 0; round < 10; round++) {
      await sprite.restore('v1');
      expect(await hashTree(sprite)).toBe(before);
      await sprite.restore(id);
      expect(await hashTree(sprite)).toBe(other);
    }
  }, 180_000);
});

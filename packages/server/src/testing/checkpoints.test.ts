import {
  createCheckpoint,
  createSprite,
  getCheckpoint,
  getSprite,
  listCheckpoints,
  reconcile,
  removeCheckpoint,
  restoreCheckpoint,
  type SpriteRecord,
} from '@sprites/core';
import { describe, expect, it } from 'vitest';
import { type Fixture, fixture } from './fixture.ts';

type Test = Fixture & { readonly sprite: SpriteRecord; readonly key: { orgId: string; name: string } };

async function withSprite(): Promise<Test> {
  const test = await fixture();
  const sprite = await createSprite(test.deps, { name: 'demo', orgId: test.org.id }, test.signal);
  return { ...test, sprite, key: { orgId: test.org.id, name: 'demo' } };
}

const silent = (): void => {};

describe('createCheckpoint', () => {
  it('numbers checkpoints from one and never gives a number twice', async () => {
    const { deps, key } = await withSprite();
    expect((await createCheckpoint(deps, { ...key, comment: 'first' }, silent)).id).toBe('v1');
    expect((await createCheckpoint(deps, key, silent)).id).toBe('v2');
    expect((await createCheckpoint(deps, key, silent)).id).toBe('v3');
    await removeCheckpoint(deps, { ...key, checkpointId: 'v2' });
    expect((await createCheckpoint(deps, key, silent)).id).toBe('v4');
  });

  it('quiets the disk of a running machine and does not stop it', async () => {
    const { deps, key, sprite, signal } = await withSprite();
    await deps.lifecycle.wake(sprite, signal);
    await createCheckpoint(deps, key, silent);
    expect(deps.driver.log).toContain(`quiesce ${sprite.id}`);
    expect(deps.lifecycle.isRunning(sprite.id)).toBe(true);
  });

  it('makes ten at once one after the other', async () => {
    const { deps, key } = await withSprite();
    const made = await Promise.all(Array.from({ length: 10 }, () => createCheckpoint(deps, key, silent)));
    expect(new Set(made.map((checkpoint) => checkpoint.id)).size).toBe(10);
  });
});

describe('listCheckpoints', () => {
  it('begins with the live disk, hides automatic ones, and follows the history', async () => {
    const { deps, key } = await withSprite();
    for (let i = 0; i < 3; i++) await createCheckpoint(deps, key, silent);
    await restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent);
    await createCheckpoint(deps, key, silent);
    const ids = async (input: { history?: string; includeAuto: boolean }): Promise<readonly string[]> =>
      (await listCheckpoints(deps, { ...key, ...input })).map((one) => one.id.replace(/^auto-.*/, 'auto'));
    expect(await ids({ includeAuto: false })).toEqual(['Current', 'v4', 'v3', 'v2', 'v1']);
    expect(await ids({ includeAuto: true })).toEqual(['Current', 'v4', 'auto', 'v3', 'v2', 'v1']);
    expect(await ids({ includeAuto: false, history: 'v2' })).toEqual(['v3', 'v2']);
    const fourth = await getCheckpoint(deps, { ...key, checkpointId: 'v4' });
    expect(fourth).toMatchObject({ source_id: 'v1', history: ['v1'], is_auto: false, health: '' });
  });
});

describe('restoreCheckpoint', () => {
  it('puts the saved disk in place, keeps the present one, and starts the machine', async () => {
    const { deps, key, sprite, disks, signal } = await withSprite();
    disks.contents.set(sprite.id, 'old');
    await createCheckpoint(deps, key, silent);
    await deps.lifecycle.wake(sprite, signal);
    disks.contents.set(sprite.id, 'new');
    await restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent);
    expect(disks.contents.get(sprite.id)).toBe('old');
    expect([...disks.saved.values()].sort()).toEqual(['new', 'old']);
    expect(deps.lifecycle.isRunning(sprite.id)).toBe(true);
    expect((await getSprite(deps, key)).restoring).toBeUndefined();
  });

  it('puts the old disk back when the machine does not come up with the saved one', async () => {
    const { deps, key, sprite, disks, signal } = await withSprite();
    disks.contents.set(sprite.id, 'broken');
    await createCheckpoint(deps, key, silent);
    disks.contents.set(sprite.id, 'works');
    deps.driver.planStart({ type: 'fail', error: new Error('no /sbin') });
    const restored = restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent);
    await expect(restored).rejects.toThrow(/old disk back/);
    expect(disks.contents.get(sprite.id)).toBe('works');
    expect((await getSprite(deps, key)).restoring).toBeUndefined();
    expect((await deps.lifecycle.wake(sprite, signal)).kind).toBe('cold');
  });

  it('saves the present disk only when nothing can write to it any more', async () => {
    const { deps, key, sprite, signal } = await withSprite();
    await createCheckpoint(deps, key, silent);
    await deps.lifecycle.wake(sprite, signal);
    const before = deps.driver.log.length;
    await restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent);
    const steps = deps.driver.log.slice(before).map((line) => line.split(' ')[0]);
    expect(steps.filter((step) => step !== 'exited')).toEqual(['stop', 'quiesce', 'start']);
  });

  it('is refused for want of space before anything is stopped', async () => {
    const { deps, key, sprite, disks, signal } = await withSprite();
    await createCheckpoint(deps, key, silent);
    await deps.lifecycle.wake(sprite, signal);
    disks.full = true;
    const said: string[] = [];
    const restored = restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, (text) => said.push(text));
    await expect(restored).rejects.toMatchObject({ code: 'out_of_space' });
    expect(deps.lifecycle.isRunning(sprite.id)).toBe(true);
    expect(said).toEqual([]);
  });

  it.each([
    ['a wake', ({ deps, sprite, signal }: Test) => deps.lifecycle.wake(sprite, signal)],
    ['a checkpoint', ({ deps, key }: Test) => createCheckpoint(deps, key, silent)],
  ])('that could not be undone is undone before %s', async (_, use) => {
    const test = await withSprite();
    const { deps, key, sprite, disks } = test;
    disks.contents.set(sprite.id, 'broken');
    await createCheckpoint(deps, key, silent);
    disks.contents.set(sprite.id, 'works');
    deps.driver.planStart({ type: 'fail', error: new Error('no /sbin') });
    const place = disks.restoreCheckpoint.bind(disks);
    let calls = 0;
    disks.restoreCheckpoint = async (id, checkpointId) => {
      if (++calls === 2) throw new Error('input/output error');
      await place(id, checkpointId);
    };
    await expect(restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent)).rejects.toThrow();
    expect(disks.contents.get(sprite.id)).toBe('broken');
    await use(test);
    expect(disks.contents.get(sprite.id)).toBe('works');
    expect((await getSprite(deps, key)).restoring).toBeUndefined();
  });

  it('refuses a second one, and a checkpoint, while one is under way', async () => {
    const { deps, key } = await withSprite();
    await createCheckpoint(deps, key, silent);
    const restore = (): Promise<void> => restoreCheckpoint(deps, { ...key, checkpointId: 'v1' }, silent);
    const results = await Promise.allSettled([restore(), restore(), createCheckpoint(deps, key, silent)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'operation_in_progress' } });
  });

  it.each(['v9', '../v1', 'v1/../v1', 'Current', ''])('refuses the id %j', async (checkpointId) => {
    const { deps, key } = await withSprite();
    await createCheckpoint(deps, key, silent);
    const restored = restoreCheckpoint(deps, { ...key, checkpointId }, silent);
    await expect(restored).rejects.toMatchObject({ code: 'checkpoint_not_found' });
  });

  it('refuses a damaged one and names the newest good one', async () => {
    const { deps, key, sprite } = await withSprite();
    for (let i = 0; i < 3; i++) await createCheckpoint(deps, key, silent);
    await deps.store.setCheckpointHealth(sprite.id, 'v3', 'wrong checksum');
    const restored = restoreCheckpoint(deps, { ...key, checkpointId: 'v3' }, silent);
    await expect(restored).rejects.toThrow(/v3.*damaged.*newest good one is v2/);
  });
});

describe('removeCheckpoint', () => {
  it('refuses the one the live disk is based on', async () => {
    const { deps, key } = await withSprite();
    await createCheckpoint(deps, key, silent);
    const removed = removeCheckpoint(deps, { ...key, checkpointId: 'v1' });
    await expect(removed).rejects.toMatchObject({ code: 'checkpoint_in_use' });
  });
});

describe('a fork', () => {
  it('has the disk, settings and image of its origin but a life of its own', async () => {
    const test = await withSprite();
    const { deps, key, sprite, disks, signal } = test;
    disks.contents.set(sprite.id, 'saved');
    await createCheckpoint(deps, key, silent);
    disks.contents.set(sprite.id, 'live');
    const orgId = key.orgId;
    const fromLive = await createSprite(deps, { name: 'live', orgId, from: { sprite: 'demo' } }, signal);
    const from = { sprite: 'demo', checkpoint: 'v1' };
    const fromSaved = await createSprite(deps, { name: 'saved', orgId, labels: ['x'], from }, signal);
    expect([fromLive, fromSaved].map((fork) => disks.contents.get(fork.id))).toEqual(['live', 'saved']);
    expect(fromSaved).toMatchObject({
      imageDigest: sprite.imageDigest,
      labels: ['x'],
      incarnation: 0,
      checkpointCount: 0,
    });
    expect(new Set([sprite.slot, fromLive.slot, fromSaved.slot]).size).toBe(3);
  });

  it('of a checkpoint that is not there makes nothing', async () => {
    const { deps, key, disks, signal } = await withSprite();
    const from = { sprite: 'demo', checkpoint: 'v7' };
    const forked = createSprite(deps, { name: 'fork', orgId: key.orgId, from }, signal);
    await expect(forked).rejects.toMatchObject({ code: 'checkpoint_not_found' });
    expect(disks.ids.size).toBe(1);
  });
});

describe('a server that died in the middle of a restore', () => {
  it('starts although the disk from before is gone, and says so when the sprite is used', async () => {
    const before = await withSprite();
    await before.deps.store.updateSprite(before.sprite.id, { restoring: { to: 'v1', undo: 'auto-1' } });
    const after = await fixture({}, { left: before });
    expect(await reconcile(after.deps, after.deps.lifecycle)).toMatchObject({ restoresUndone: 0 });
    await expect(after.deps.lifecycle.wake(before.sprite, after.signal)).rejects.toThrow('no auto-1');
  });

  it('goes back to the disk from before, and knows its checkpoints', async () => {
    const before = await withSprite();
    const { deps, key, sprite, disks } = before;
    await createCheckpoint(deps, key, silent);
    disks.contents.set(sprite.id, 'restored, not answered for');
    disks.saved.set(`${sprite.id}/auto-1`, 'mine');
    await deps.store.insertCheckpoint({
      spriteId: sprite.id,
      id: 'auto-1',
      comment: undefined,
      createdAt: '2026-01-01T00:00:00.000Z',
      sourceId: 'v1',
      isAuto: true,
      health: '',
    });
    await deps.store.updateSprite(sprite.id, { restoring: { to: 'v1', undo: 'auto-1' } });
    disks.saved.set(`${sprite.id}/v2`, 'saved but never recorded');
    disks.saved.delete(`${sprite.id}/v1`);

    const after = await fixture({}, { left: before });
    expect(await reconcile(after.deps, after.deps.lifecycle)).toMatchObject({ restoresUndone: 1 });
    expect(disks.contents.get(sprite.id)).toBe('mine');
    expect((await getSprite(after.deps, key)).restoring).toBeUndefined();
    expect([...disks.saved.keys()]).toEqual([`${sprite.id}/auto-1`]);
    const gone = await getCheckpoint(after.deps, { ...key, checkpointId: 'v1' });
    expect(gone.health).toBe('its disk is missing');
  });
});

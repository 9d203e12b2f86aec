import {
  createSprite,
  getSprite,
  reconcile,
  removeSprite,
  type SpriteRecord,
  upgradeSprite,
} from '@sprites/core';
import { describe, expect, it, vi } from 'vitest';
import { type Fixture, fixture } from './fixture.ts';

function create({ deps, org, signal }: Fixture, name = 'demo'): Promise<SpriteRecord> {
  return createSprite(deps, { name, orgId: org.id }, signal);
}

function statusOf({ deps, org }: Fixture, name = 'demo'): Promise<string> {
  return getSprite(deps, { orgId: org.id, name }).then((sprite) => sprite.status);
}

describe('waking', () => {
  it('starts a cold sprite once for two callers', async () => {
    const test = await fixture();
    const sprite = await create(test);
    const wakes = [1, 2].map(() => test.deps.lifecycle.wake(sprite, test.signal));
    expect((await Promise.all(wakes)).map((wake) => wake.kind)).toEqual(['cold', 'cold']);
    expect(test.deps.driver.log).toEqual([`start ${sprite.id}`]);
    expect(await statusOf(test)).toBe('running');
    expect((await test.deps.lifecycle.wake(sprite, test.signal)).kind).toBe('running');
  });

  it('leaves nothing and says why when the machine does not start', async () => {
    const test = await fixture();
    const sprite = await create(test);
    test.deps.driver.planStart({ type: 'fail', error: new Error('no such runtime') });
    await expect(test.deps.lifecycle.wake(sprite, test.signal)).rejects.toMatchObject({
      code: 'wake_failed',
    });
    expect(test.deps.driver.log).toEqual([`start ${sprite.id}`, `stop ${sprite.id}`]);
    expect(test.network.plugged.size).toBe(0);
    expect(await statusOf(test)).toBe('cold');
    await test.deps.lifecycle.wake(sprite, test.signal);
  });

  it('gives up after its time limit when the machine hangs', async () => {
    const test = await fixture({ wakeTimeoutMs: 20 });
    const sprite = await create(test);
    test.deps.driver.planStart({ type: 'hang' });
    await expect(test.deps.lifecycle.wake(sprite, test.signal)).rejects.toMatchObject({
      code: 'wake_timeout',
    });
    expect(await test.deps.driver.list()).toEqual([]);
  });

  it('stops the machine again when its agent never answers', async () => {
    const health = (_: string, signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const test = await fixture({ wakeTimeoutMs: 20 }, { agents: { health } });
    const sprite = await create(test);
    await expect(test.deps.lifecycle.wake(sprite, test.signal)).rejects.toMatchObject({
      code: 'wake_timeout',
    });
    expect(await test.deps.driver.list()).toEqual([]);
  });

  it('leaves no machine that nobody knows of when the store fails behind its start', async () => {
    const test = await fixture();
    const sprite = await create(test);
    vi.spyOn(test.deps.store, 'updateSprite').mockRejectedValueOnce(new Error('the database is locked'));
    await expect(test.deps.lifecycle.wake(sprite, test.signal)).rejects.toMatchObject({
      code: 'wake_failed',
    });
    expect(await test.deps.driver.list()).toEqual([]);
    expect((await test.deps.lifecycle.wake(sprite, test.signal)).kind).toBe('cold');
  });

  it('goes on for the others when one caller gives up', async () => {
    const test = await fixture();
    const sprite = await create(test);
    const one = new AbortController();
    const first = test.deps.lifecycle.wake(sprite, one.signal);
    const second = test.deps.lifecycle.wake(sprite, test.signal);
    one.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect((await second).kind).toBe('cold');
  });

  it('refuses a sprite that was deleted meanwhile', async () => {
    const test = await fixture();
    const sprite = await create(test);
    await removeSprite(test.deps, { orgId: test.org.id, name: 'demo' });
    await expect(test.deps.lifecycle.wake(sprite, test.signal)).rejects.toMatchObject({
      code: 'sprite_not_found',
    });
  });
});

describe('a machine that ends by itself', () => {
  it('is started again, but not for ever', async () => {
    const test = await fixture();
    const sprite = await create(test);
    await test.deps.lifecycle.wake(sprite, test.signal);
    for (let starts = 2; starts <= 4; starts++) {
      test.deps.driver.die(sprite.id);
      const count = (): number => test.deps.driver.log.filter((line) => line.startsWith('start')).length;
      await vi.waitFor(() => expect(count()).toBe(starts));
      await vi.waitFor(() => expect(test.deps.lifecycle.isRunning(sprite.id)).toBe(true));
    }
    test.deps.driver.die(sprite.id);
    await vi.waitFor(async () => expect(await statusOf(test)).toBe('cold'));
    expect(test.deps.lifecycle.isRunning(sprite.id)).toBe(false);
    expect((await test.deps.lifecycle.wake(sprite, test.signal)).kind).toBe('cold');
  });
});

describe('create', () => {
  it('refuses a taken name and leaves no second disk, also for fifty at once', async () => {
    const test = await fixture();
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => create(test)));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(test.disks.ids.size).toBe(1);
  });

  it('refuses an image that is not installed', async () => {
    const { deps, org, signal } = await fixture();
    const created = createSprite(deps, { name: 'demo', image: 'nope', orgId: org.id }, signal);
    await expect(created).rejects.toMatchObject({ code: 'unknown_image' });
  });

  it('refuses more sprites than the server may hold', async () => {
    const test = await fixture({ maxSprites: 1 });
    await create(test);
    await expect(create(test, 'two')).rejects.toMatchObject({
      code: 'concurrent_sprite_limit_exceeded',
      details: { limit: 1, current_count: 1 },
    });
  });

  it('gives a sprite no more than the server allows and says what it got', async () => {
    const { deps, org, signal } = await fixture();
    const config = { cpus: 64, ram_mb: 512, storage_gb: 1000 };
    const sprite = await createSprite(deps, { name: 'demo', config, orgId: org.id }, signal);
    expect(sprite.config).toEqual({ cpus: 2, ram_mb: 512, storage_gb: 10 });
  });
});

describe('delete', () => {
  it('hides the sprite at once and clears machine, disk and network away', async () => {
    const test = await fixture();
    const sprite = await create(test);
    await test.deps.lifecycle.wake(sprite, test.signal);
    await removeSprite(test.deps, { orgId: test.org.id, name: 'demo' });
    await expect(statusOf(test)).rejects.toMatchObject({ code: 'sprite_not_found' });
    await vi.waitFor(async () => expect(await test.deps.store.listAllSprites()).toEqual([]));
    expect(test.disks.ids.size).toBe(0);
    expect(test.network.plugged.size).toBe(0);
    expect(await test.deps.driver.list()).toEqual([]);
  });
});

describe('upgrade', () => {
  it('stops the machine so that the next use boots the newest image', async () => {
    const test = await fixture();
    const sprite = await create(test);
    await test.deps.lifecycle.wake(sprite, test.signal);
    await upgradeSprite(test.deps, { orgId: test.org.id, name: 'demo' });
    expect(await statusOf(test)).toBe('cold');
  });
});

describe('reconcile', () => {
  it('takes over what runs, stops what nobody knows, and finishes what was begun', async () => {
    const before = await fixture();
    const runs = await create(before, 'runs');
    const died = await create(before, 'died');
    const doomed = await create(before, 'doomed');
    for (const sprite of [runs, died, doomed]) await before.deps.lifecycle.wake(sprite, before.signal);
    await before.deps.lifecycle.close();
    before.deps.driver.die(died.id);
    await before.deps.store.updateSprite(doomed.id, { deletedAt: '2026-01-01T00:00:00.000Z' });
    await before.disks.create('sprite_orphan');

    const after = await fixture({}, { left: before });
    const repairs = await reconcile(after.deps, after.deps.lifecycle);
    expect(repairs).toEqual({ adopted: 1, stopped: 0, erased: 1, orphanDisks: 1, restoresUndone: 0 });
    expect(after.deps.lifecycle.isRunning(runs.id)).toBe(true);
    expect(await statusOf(after, 'died')).toBe('cold');
    expect([...after.disks.ids].sort()).toEqual([died.id, runs.id].sort());
    expect((await after.deps.driver.list()).map((machine) => machine.spriteId)).toEqual([runs.id]);
    expect(after.network.plugged).toEqual(new Set([runs.slot]));
  });
});

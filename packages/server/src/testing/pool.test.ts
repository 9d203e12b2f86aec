import { createSprite, getSprite, reconcile, removeSprite, type SpriteRecord } from '@sprites/core';
import { ManualClock } from '@sprites/testkit';
import { describe, expect, it, vi } from 'vitest';
import { type Fixture, fixture } from './fixture.ts';

type Pooled = Fixture & { readonly clock: ManualClock };

/** A server whose pool is as full as it gets. */
async function pooled(...[change, base]: Parameters<typeof fixture>): Promise<Pooled> {
  const clock = new ManualClock();
  const test = await fixture({ readyMachines: 1, ...change }, { clock, ...base });
  test.deps.pool.open();
  await advance(clock);
  return { ...test, clock };
}

/** Long enough for the pool to be made full, not for it to look again. */
async function advance(clock: ManualClock, ms = 1000): Promise<void> {
  for (let step = 0; step < 5; step++) await clock.advance(ms / 5);
}

function create(
  { deps, org, signal }: Fixture,
  name = 'demo',
  more: Partial<Parameters<typeof createSprite>[1]> = {},
): Promise<SpriteRecord> {
  return createSprite(deps, { name, orgId: org.id, ...more }, signal);
}

const starts = ({ deps }: Fixture): number =>
  deps.driver.log.filter((line) => line.startsWith('start')).length;

describe('a new sprite', () => {
  it('gets the machine that is ready, with its name, and runs', async () => {
    const test = await pooled();
    expect(test.deps.pool.ready).toBe(1);
    const sprite = await create(test, 'demo', { environment: { KEY: 'value' } });
    expect(sprite).toMatchObject({ status: 'running', incarnation: 1, environment: { KEY: 'value' } });
    expect(test.deps.driver.log).toEqual([`start ${sprite.id}`, `name ${sprite.id} demo`]);
    expect(test.deps.lifecycle.isRunning(sprite.id)).toBe(true);
    expect((await test.deps.lifecycle.wake(sprite, test.signal)).kind).toBe('running');
    expect(await test.deps.store.findSpriteById(sprite.id)).toEqual(sprite);
  });

  it.each([
    ['memory', { config: { ram_mb: 256 } }],
    ['cpus', { config: { cpus: 1 } }],
    ['disk', { config: { storage_gb: 1 } }],
  ])('with another size of %s is made cold, and the machine stays ready', async (_, more) => {
    const test = await pooled();
    expect(await create(test, 'demo', more)).toMatchObject({ status: 'cold', incarnation: 0 });
    expect(test.deps.pool.ready).toBe(1);
  });

  it('that is a fork is made of its origin, not of a machine that is ready', async () => {
    const test = await pooled();
    const origin = await create(test, 'origin');
    test.disks.contents.set(origin.id, 'files');
    await advance(test.clock);
    const fork = await create(test, 'fork', { from: { sprite: 'origin' } });
    expect(fork.status).toBe('cold');
    expect(test.disks.contents.get(fork.id)).toBe('files');
    expect(test.deps.pool.ready).toBe(1);
  });

  it('is cold and whole when its machine died at the last moment', async () => {
    const test = await pooled();
    vi.spyOn(test.deps.driver, 'name').mockRejectedValueOnce(new Error('gone'));
    const sprite = await create(test);
    expect(sprite).toMatchObject({ status: 'cold', name: 'demo' });
    expect(await test.deps.driver.list()).toEqual([]);
    expect((await test.deps.lifecycle.wake(sprite, test.signal)).kind).toBe('cold');
    expect(test.disks.ids.has(sprite.id)).toBe(true);
  });

  it('is found by a wake only when its machine has its name', async () => {
    const test = await pooled();
    const naming = Promise.withResolvers<void>();
    vi.spyOn(test.deps.driver, 'name').mockReturnValueOnce(naming.promise);
    const creating = create(test);
    await vi.waitFor(async () =>
      expect(await getSprite(test.deps, { orgId: test.org.id, name: 'demo' })).toBeTruthy(),
    );
    const waking = test.deps.lifecycle.wake(
      await getSprite(test.deps, { orgId: test.org.id, name: 'demo' }),
      test.signal,
    );
    let woken = false;
    void waking.then(() => {
      woken = true;
    });
    await advance(test.clock, 5);
    expect(woken).toBe(false);
    naming.resolve();
    await creating;
    expect((await waking).kind).toBe('running');
    expect(starts(test)).toBe(1);
  });

  it('gets one machine each, however many are made at once', async () => {
    const test = await pooled({ maxSprites: 50, readyMachines: 2 });
    const sprites = await Promise.all(
      Array.from({ length: 20 }, (_, index) => create(test, `many-${index}`)),
    );
    expect(sprites.filter((sprite) => sprite.status === 'running')).toHaveLength(2);
    expect(new Set(sprites.map((sprite) => sprite.slot)).size).toBe(20);
  });

  it('of a taken name leaves the machine ready', async () => {
    const test = await pooled();
    await create(test);
    await advance(test.clock);
    const twins = await Promise.allSettled([
      create(test, 'twin'),
      create(test, 'twin'),
      create(test, 'twin'),
    ]);
    expect(twins.filter((twin) => twin.status === 'fulfilled')).toHaveLength(1);
    await advance(test.clock);
    expect(test.deps.pool.ready).toBe(1);
    // two sprites and what is ready
    expect(test.disks.ids.size).toBe(3);
  });

  it('gets the last slot, though a machine that is ready has it', async () => {
    const test = await pooled({ maxSprites: 1 });
    const sprite = await create(test, 'demo', { config: { cpus: 1 } });
    expect(sprite.slot).toBe(0);
    expect(test.deps.pool.ready).toBe(0);
    expect(await test.deps.driver.list()).toEqual([]);
    await advance(test.clock, 120_000);
    expect(await test.deps.driver.list()).toEqual([]);
  });
});

describe('the pool', () => {
  it('is no sprite: neither listed nor counted, and does not use up the limit', async () => {
    const test = await pooled({ maxSprites: 1 });
    expect(await test.deps.store.listAllSprites()).toEqual([]);
    expect(await test.deps.store.countByStatus(test.org.id)).toEqual({ cold: 0, warm: 0, running: 0 });
    await create(test);
    await advance(test.clock);
    await expect(create(test, 'two')).rejects.toMatchObject({ code: 'concurrent_sprite_limit_exceeded' });
    expect(test.deps.pool.ready).toBe(0);
  });

  it('is filled again, but not while somebody waits for a machine', async () => {
    const test = await pooled();
    const sprite = await create(test);
    const slow = await create(test, 'slow');
    const booting = Promise.withResolvers<void>();
    const start = test.deps.driver.start.bind(test.deps.driver);
    vi.spyOn(test.deps.driver, 'start').mockImplementationOnce(async (...args) => {
      await booting.promise;
      return start(...args);
    });
    const waking = test.deps.lifecycle.wake(slow, test.signal);
    await advance(test.clock, 60_000);
    expect(test.deps.pool.ready).toBe(0);
    booting.resolve();
    await waking;
    await advance(test.clock);
    expect(test.deps.pool.ready).toBe(1);
    expect(sprite.id).not.toBe(slow.id);
  });

  it('is off when its size is nought, and when memory is short', async () => {
    const off = await pooled({ readyMachines: 0 });
    const short = await pooled(
      {},
      { memory: async () => ({ availableBytes: 2 ** 28, totalBytes: 2 ** 32 }) },
    );
    for (const test of [off, short]) {
      await advance(test.clock, 60_000);
      expect(test.deps.driver.log).toEqual([]);
      expect((await create(test)).status).toBe('cold');
    }
  });

  it('makes room when memory gets short, and comes back', async () => {
    let availableBytes = 2 ** 32;
    const test = await pooled({}, { memory: async () => ({ availableBytes, totalBytes: 2 ** 32 }) });
    availableBytes = 2 ** 27;
    await advance(test.clock, 20_000);
    expect(test.deps.pool.ready).toBe(0);
    expect([test.disks.ids.size, test.network.plugged.size]).toEqual([0, 0]);
    expect(await test.deps.store.listPooled()).toEqual([]);
    availableBytes = 2 ** 32;
    await advance(test.clock, 60_000);
    expect(test.deps.pool.ready).toBe(1);
  });

  it('makes no machine without disk space', async () => {
    const clock = new ManualClock();
    const test = await fixture({ readyMachines: 1 }, { clock });
    test.disks.full = true;
    test.deps.pool.open();
    await advance(clock, 60_000);
    expect(test.deps.driver.log).toEqual([]);
  });

  it('replaces a machine that ended by itself, after a while', async () => {
    const test = await pooled();
    const [machine] = await test.deps.driver.list();
    test.deps.driver.die(machine?.spriteId ?? '');
    await vi.waitFor(async () => expect(await test.deps.store.listPooled()).toEqual([]));
    expect(test.disks.ids.size).toBe(0);
    expect((await create(test)).status).toBe('cold');
    await advance(test.clock, 60_000);
    expect(test.deps.pool.ready).toBe(1);
  });

  it('leaves nothing of a machine that did not start, and tries again later', async () => {
    const clock = new ManualClock();
    const test = await fixture({ readyMachines: 1 }, { clock });
    test.deps.driver.planStart({ type: 'fail', error: new Error('no such runtime') });
    test.deps.pool.open();
    await advance(clock);
    expect(starts(test)).toBe(1);
    expect([test.disks.ids.size, test.network.plugged.size]).toEqual([0, 0]);
    await advance(clock, 20_000);
    expect(starts(test)).toBe(1);
    await advance(clock, 20_000);
    expect(test.deps.pool.ready).toBe(1);
  });

  it('ends with the server', async () => {
    const test = await pooled();
    const sprite = await create(test);
    await advance(test.clock);
    await test.deps.pool.close();
    expect((await test.deps.driver.list()).map(({ spriteId }) => spriteId)).toEqual([sprite.id]);
    expect([...test.disks.ids]).toEqual([sprite.id]);
    expect(test.network.plugged).toEqual(new Set([sprite.slot]));
  });

  it('of a server that was killed is ended by the next, and its slots are free', async () => {
    const before = await pooled({ readyMachines: 2 });
    const sprite = await create(before);
    const after = await fixture({}, { left: before });
    await reconcile(after.deps, after.deps.lifecycle);
    expect((await after.deps.driver.list()).map(({ spriteId }) => spriteId)).toEqual([sprite.id]);
    expect([...after.disks.ids]).toEqual([sprite.id]);
    expect(await after.deps.store.listPooled()).toEqual([]);
    expect(after.network.plugged).toEqual(new Set([sprite.slot]));
  });

  it('of a server that was killed while a machine was claimed leaves a cold sprite', async () => {
    const before = await pooled();
    vi.spyOn(before.deps.driver, 'name').mockReturnValueOnce(new Promise(() => {}));
    void create(before);
    await vi.waitFor(async () => expect(await before.deps.store.listAllSprites()).toHaveLength(1));
    const after = await fixture({}, { left: before });
    await reconcile(after.deps, after.deps.lifecycle);
    const sprite = await getSprite(after.deps, { orgId: after.org.id, name: 'demo' });
    expect(sprite.status).toBe('cold');
    expect(await after.deps.driver.list()).toEqual([]);
    expect((await after.deps.lifecycle.wake(sprite, after.signal)).kind).toBe('cold');
    await removeSprite(after.deps, { orgId: after.org.id, name: 'demo' });
    await vi.waitFor(() => expect(after.disks.ids.size).toBe(0));
  });
});

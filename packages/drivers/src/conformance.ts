import type { Destroyable, Driver, MachineSpec } from '@sprites/core';
import { describe, expect, it } from 'vitest';

/** A driver under test and what it needs to boot. */
export type DriverFixture = AsyncDisposable & {
  readonly driver: Driver<Destroyable>;
  /** A spec for sprite number `n`, whose disk stays the same. */
  spec(n: number): Promise<MachineSpec>;
  /** Ends the machine from within. */
  die(spriteId: string): Promise<void>;
};

const plugNothing = async (): Promise<void> => undefined;
const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

/** What every driver promises. */
export function describeDriver(name: string, createFixture: () => Promise<DriverFixture>): void {
  describe(`${name} as a driver`, () => {
    describeStart(createFixture);
    describeEnd(createFixture);
    describeQuiesce(createFixture);
    describeFreeze(createFixture);
    describeName(createFixture);
  });
}

function describeStart(createFixture: () => Promise<DriverFixture>): void {
  it('boots a machine that can be dialled and is listed', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start({ ...spec, incarnation: 7 }, plugNothing, within(20_000));
    expect(await f.driver.list()).toEqual([{ spriteId: spec.spriteId, incarnation: 7, frozen: false }]);
    (await f.driver.dial(spec.spriteId, within(5000))).destroy();
  });

  it('plugs once, with a living process, before start resolves', async () => {
    await using f = await createFixture();
    const targets: number[] = [];
    const plug = async ({ pid }: { pid: number }): Promise<void> => {
      process.kill(pid, 0);
      targets.push(pid);
    };
    await f.driver.start(await f.spec(1), plug, within(20_000));
    expect(targets).toHaveLength(1);
  });

  it('refuses a second machine of the same sprite and keeps the first', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    await expect(f.driver.start(spec, plugNothing, within(20_000))).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await f.driver.list()).toHaveLength(1);
  });

  it('leaves nothing when the plug fails, and can start again', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    const failing = f.driver.start(spec, () => Promise.reject(new Error('no plug')), within(20_000));
    await expect(failing).rejects.toThrow('no plug');
    expect(await f.driver.list()).toEqual([]);
    await f.driver.start(spec, plugNothing, within(20_000));
  });

  it('leaves nothing when it is aborted', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    const abort = new AbortController();
    const plug = async (): Promise<void> => abort.abort(new Error('enough'));
    await expect(f.driver.start(spec, plug, abort.signal)).rejects.toThrow('enough');
    expect(await f.driver.list()).toEqual([]);
    await expect(f.driver.dial(spec.spriteId, within(1000))).rejects.toMatchObject({
      code: 'agent_unreachable',
    });
  });

  it('runs several machines at once', async () => {
    await using f = await createFixture();
    const specs = await Promise.all([f.spec(1), f.spec(2), f.spec(3)]);
    await Promise.all(specs.map((spec) => f.driver.start(spec, plugNothing, within(30_000))));
    expect((await f.driver.list()).map((machine) => machine.spriteId).sort()).toEqual(
      specs.map((spec) => spec.spriteId).sort(),
    );
  });
}

function describeEnd(createFixture: () => Promise<DriverFixture>): void {
  it('tells when a machine ends by itself, and starts it again', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    const exited = f.driver.exited(spec.spriteId, within(10_000));
    await f.die(spec.spriteId);
    await exited;
    expect(await f.driver.list()).toEqual([]);
    await f.driver.start(spec, plugNothing, within(20_000));
  });

  it('tells when a machine is stopped', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    const exited = f.driver.exited(spec.spriteId, within(10_000));
    await f.driver.stop(spec.spriteId);
    await exited;
    await expect(f.driver.dial(spec.spriteId, within(1000))).rejects.toMatchObject({
      code: 'agent_unreachable',
    });
  });

  it('stops what is not running without complaint', async () => {
    await using f = await createFixture();
    const { spriteId } = await f.spec(1);
    await f.driver.stop(spriteId);
    await f.driver.stop(spriteId);
    await f.driver.exited(spriteId, within(1000));
  });

  it('stops waiting for an end when the signal aborts', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    const abort = new AbortController();
    const exited = f.driver.exited(spec.spriteId, abort.signal);
    abort.abort(new Error('enough'));
    await expect(exited).rejects.toThrow('enough');
    expect(await f.driver.list()).toHaveLength(1);
  });

  it('leaves running machines alone when it repairs', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    await f.driver.repair();
    expect(await f.driver.list()).toHaveLength(1);
  });
}

function describeFreeze(createFixture: () => Promise<DriverFixture>): void {
  const startedFixture = async (): Promise<DriverFixture & { readonly id: string }> => {
    const fixture = await createFixture();
    const spec = await fixture.spec(1);
    await fixture.driver.start(spec, plugNothing, within(20_000));
    return { ...fixture, id: spec.spriteId };
  };
  const isFrozen = async ({ driver }: DriverFixture): Promise<boolean | undefined> =>
    (await driver.list())[0]?.frozen;

  it('freezes and thaws a machine, each as often as one likes', async () => {
    await using f = await startedFixture();
    for (let round = 1; round <= 3; round++) {
      await f.driver.freeze(f.id, within(5000));
      await f.driver.freeze(f.id, within(5000));
      expect(await isFrozen(f)).toBe(true);
      await f.driver.thaw(f.id);
      await f.driver.thaw(f.id);
      expect(await isFrozen(f)).toBe(false);
    }
    (await f.driver.dial(f.id, within(5000))).destroy();
  });

  it('leaves a frozen machine frozen when it repairs, and quiesces its disk', async () => {
    await using f = await startedFixture();
    await f.driver.freeze(f.id, within(5000));
    await f.driver.repair();
    expect(await f.driver.quiesce(f.id, async () => 42)).toBe(42);
    expect(await isFrozen(f)).toBe(true);
  });

  it('stops a frozen machine, tells of its end, and starts it again', async () => {
    await using f = await startedFixture();
    await f.driver.freeze(f.id, within(5000));
    const exited = f.driver.exited(f.id, within(10_000));
    await f.driver.stop(f.id);
    await exited;
    expect(await f.driver.list()).toEqual([]);
    await f.driver.start(await f.spec(1), plugNothing, within(20_000));
    expect(await isFrozen(f)).toBe(false);
  });

  it('takes memory from a frozen machine, which goes on all the same', async () => {
    await using f = await startedFixture();
    await f.driver.freeze(f.id, within(5000));
    await f.driver.reclaim(f.id);
    expect(await isFrozen(f)).toBe(true);
    await f.driver.thaw(f.id);
    (await f.driver.dial(f.id, within(5000))).destroy();
    await f.driver.stop(f.id);
    await f.driver.reclaim(f.id);
  });

  it('freezes and thaws nothing without a machine, and none when given up', async () => {
    await using f = await startedFixture();
    const { spriteId } = await f.spec(2);
    await expect(f.driver.freeze(spriteId, within(1000))).rejects.toMatchObject({ code: 'unavailable' });
    await expect(f.driver.thaw(spriteId)).rejects.toMatchObject({ code: 'unavailable' });
    const given = f.driver.freeze(f.id, AbortSignal.abort(new Error('enough')));
    await expect(given).rejects.toThrow('enough');
    expect(await isFrozen(f)).toBe(false);
  });
}

function describeQuiesce(createFixture: () => Promise<DriverFixture>): void {
  it('runs work on a quiet disk, one after the other for one machine, and hands on its result', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    const quiesce = (result: string) => f.driver.quiesce(spec.spriteId, async () => result);
    expect(await Promise.all([quiesce('a'), quiesce('b')])).toEqual(['a', 'b']);
    (await f.driver.dial(spec.spriteId, within(5000))).destroy();
  });

  it('goes on after work that failed on a quiet disk, and stops the machine', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start(spec, plugNothing, within(20_000));
    const failing = f.driver.quiesce(spec.spriteId, () => Promise.reject(new Error('no clone')));
    await expect(failing).rejects.toThrow('no clone');
    expect(await f.driver.quiesce(spec.spriteId, async () => 'again')).toBe('again');
    await f.driver.stop(spec.spriteId);
    expect(await f.driver.list()).toEqual([]);
  });

  it('just runs work when there is no machine', async () => {
    await using f = await createFixture();
    const { spriteId } = await f.spec(1);
    expect(await f.driver.quiesce(spriteId, async () => 42)).toBe(42);
    await expect(f.driver.quiesce(spriteId, () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );
  });
}

function describeName(createFixture: () => Promise<DriverFixture>): void {
  it('names a machine that was started without a name, once, and leaves it running when it repairs', async () => {
    await using f = await createFixture();
    if (!f.driver.canName) return;
    const spec = await f.spec(1);
    await f.driver.start({ ...spec, hostname: undefined }, plugNothing, within(20_000));
    const name = { ...spec, hostname: 'claimed' };
    await f.driver.name(name);
    await expect(f.driver.name(name)).rejects.toMatchObject({ code: 'unavailable' });
    await f.driver.repair();
    expect(await f.driver.list()).toHaveLength(1);
    (await f.driver.dial(spec.spriteId, within(5000))).destroy();
  });

  it('ends a machine without a name when it repairs', async () => {
    await using f = await createFixture();
    const spec = await f.spec(1);
    await f.driver.start({ ...spec, hostname: undefined }, plugNothing, within(20_000));
    await f.driver.repair();
    expect(await f.driver.list()).toEqual([]);
    await expect(f.driver.name({ ...spec, hostname: 'late' })).rejects.toMatchObject({ code: 'unavailable' });
    await f.driver.start(spec, plugNothing, within(20_000));
  });
}

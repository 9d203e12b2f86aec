import {
  AutomaticCheckpoints,
  createCheckpoint,
  createSprite,
  restoreCheckpoint,
  type SpriteRecord,
} from '@sprites/core';
import { ManualClock } from '@sprites/testkit';
import { describe, expect, it } from 'vitest';
import { type Fixture, fixture } from './fixture.ts';

const hourMs = 3_600_000;
const silent = (): void => {};

type Test = Fixture & {
  readonly clock: ManualClock;
  readonly sprite: SpriteRecord;
  readonly key: { readonly orgId: string; readonly name: string };
  readonly automatic: AutomaticCheckpoints;
  /** why each checkpoint was made, oldest first */
  readonly causes: () => Promise<readonly (string | undefined)[]>;
};

async function started(change: Parameters<typeof fixture>[0] = {}): Promise<Test> {
  const clock = new ManualClock(Date.parse('2026-06-15T00:00:00.000Z'));
  const autoCheckpoints = { everyS: 3600, keepHourly: 24, keepDaily: 7 };
  const test = await fixture({ autoCheckpoints, ...change }, { clock });
  const { deps, org, signal, disks } = test;
  const sprite = await createSprite(deps, { name: 'demo', orgId: org.id }, signal);
  await deps.lifecycle.wake(sprite, signal);
  disks.contents.set(sprite.id, 'one');
  return {
    ...test,
    clock,
    sprite,
    key: { orgId: org.id, name: 'demo' },
    automatic: new AutomaticCheckpoints(deps),
    causes: async () => (await deps.store.listCheckpoints(sprite.id)).map(({ cause }) => cause),
  };
}

/** An hour later. */
async function later({ clock, automatic }: Test, hours = 1): Promise<void> {
  await clock.advance(hours * hourMs);
  await automatic.look();
}

describe('AutomaticCheckpoints', () => {
  it('saves a sprite when it is due and its disk has changed, and takes no number', async () => {
    const test = await started();
    const { automatic, causes, disks, sprite, deps, key } = test;
    await automatic.look();
    expect(await causes()).toEqual([]);
    await later(test);
    await later(test);
    expect(await causes()).toEqual(['interval']);
    disks.contents.set(sprite.id, 'two');
    await later(test, 0.1);
    expect(await causes()).toHaveLength(2);
    disks.contents.set(sprite.id, 'three');
    await later(test, 0.5);
    expect(await causes()).toHaveLength(2);
    await later(test, 0.5);
    expect(await causes()).toHaveLength(3);
    expect((await createCheckpoint(deps, key, silent)).id).toBe('v1');
  });

  it('leaves alone what never ran, what has it off, and what was saved otherwise', async () => {
    const test = await started();
    const { deps, org, signal, key, causes, sprite } = test;
    const other = await createSprite(deps, { name: 'cold', orgId: org.id }, signal);
    await createCheckpoint(deps, key, silent);
    await later(test);
    expect(await causes()).toEqual([undefined]);
    expect(await deps.store.listCheckpoints(other.id)).toEqual([]);
    test.disks.contents.set(sprite.id, 'two');
    await deps.store.updateSprite(sprite.id, { autoCheckpoints: { everyS: 'off' } });
    await later(test);
    expect(await causes()).toEqual([undefined]);
    await deps.store.updateSprite(sprite.id, { autoCheckpoints: { everyS: 60 } });
    await later(test, 1 / 60);
    expect(await causes()).toEqual([undefined, 'interval']);
  });

  it('neither wakes a sprite nor keeps it awake', async () => {
    const test = await started();
    const { deps, sprite, causes } = test;
    await deps.lifecycle.sleep(sprite.id);
    const before = deps.lifecycle.describe(await record(test));
    await later(test);
    expect(await causes()).toEqual(['interval']);
    expect(deps.lifecycle.hasMachine(sprite.id)).toBe(false);
    expect(deps.lifecycle.describe(await record(test))).toEqual(before);
  });

  it('says in the history of the sprite that there is no space, and tries again an interval later', async () => {
    const test = await started();
    const { deps, disks, sprite, causes } = test;
    const save = disks.saveCheckpoint.bind(disks);
    disks.saveCheckpoint = async (...args) => {
      await disks.ensureSpace();
      await save(...args);
    };
    disks.full = true;
    await later(test);
    await later(test, 0.5);
    await deps.events.flush();
    const events = await deps.store.listEvents({ spriteId: sprite.id, limit: 10 });
    const warnings = events.filter(({ type }) => type === 'warning').map(({ message }) => message);
    expect(warnings).toEqual(['no automatic checkpoint was made: the pool is full']);
    disks.full = false;
    await later(test, 0.5);
    expect(await causes()).toEqual(['interval']);
  });

  it('removes outdated ones, but never the one that the live disk is based on', async () => {
    const test = await started({ autoCheckpoints: { everyS: 3600, keepHourly: 2, keepDaily: 0 } });
    const { deps, disks, sprite, key } = test;
    await later(test);
    await test.clock.advance(1);
    const [first] = await deps.store.listCheckpoints(sprite.id);
    await restoreCheckpoint(deps, { ...key, checkpointId: first?.id ?? '' }, silent);
    for (let hour = 0; hour < 6; hour++) {
      disks.contents.set(sprite.id, `hour ${hour}`);
      await later(test);
    }
    const left = await deps.store.listCheckpoints(sprite.id);
    expect(left.map(({ cause }) => cause)).toEqual(['interval', 'restore', 'interval', 'interval']);
    expect(left[0]).toMatchObject({ id: first?.id });
    expect(await disks.listCheckpoints(sprite.id)).toHaveLength(4);
    await later(test, 8 * 24);
    expect((await deps.store.listCheckpoints(sprite.id)).map(({ cause }) => cause)).not.toContain('restore');
  });

  it('does not refuse a restore that comes meanwhile, and leaves a restore alone', async () => {
    const test = await started();
    const { deps, disks, key, sprite, clock, automatic, causes } = test;
    await createCheckpoint(deps, key, silent);
    disks.contents.set(sprite.id, 'two');
    await clock.advance(hourMs);
    const restored = { ...key, checkpointId: 'v1' };
    await Promise.all([automatic.look(), restoreCheckpoint(deps, restored, silent)]);
    expect(disks.contents.get(sprite.id)).toBe('one');
    expect(await causes()).toContain('restore');
  });
});

async function record({ deps, sprite }: Test): Promise<SpriteRecord> {
  return (await deps.store.findSpriteById(sprite.id)) ?? sprite;
}

import type { Activity } from '@sprites/contract/link';
import {
  createSprite,
  getSprite,
  type Life,
  reconcile,
  relievePressure,
  type SpriteRecord,
  updateSprite,
} from '@sprites/core';
import { ManualClock } from '@sprites/testkit';
import { describe, expect, it } from 'vitest';
import { type Fixture, fixture } from './fixture.ts';

type Test = Fixture & {
  readonly sprite: SpriteRecord;
  readonly clock: ManualClock;
  /** what the agent answers when it is asked; undefined for silence */
  readonly agent: { says: Activity | undefined };
};

const idle: Activity = { holds: [], lastActiveMs: 0 };

/** A sprite that runs since this moment, with windows of 30 and 600 seconds. */
async function running(change: Parameters<typeof fixture>[0] = {}): Promise<Test> {
  const clock = new ManualClock();
  const agent: { says: Activity | undefined } = { says: idle };
  const activity = async (): Promise<Activity> => {
    if (agent.says === undefined) throw new Error('the agent does not answer');
    return agent.says;
  };
  const test = await fixture(change, { clock, agents: { activity } });
  const sprite = await createSprite(test.deps, { name: 'demo', orgId: test.org.id }, test.signal);
  await test.deps.lifecycle.wake(sprite, test.signal);
  return { ...test, sprite, clock, agent };
}

async function after({ clock, deps }: Test, seconds: number): Promise<void> {
  await clock.advance(seconds * 1000);
  await deps.lifecycle.tick();
}

async function life({ deps, org }: Test): Promise<Life> {
  return deps.lifecycle.describe(await getSprite(deps, { orgId: org.id, name: 'demo' }));
}

async function stateOf(test: Test): Promise<string> {
  return (await life(test)).state;
}

describe('an idle sprite', () => {
  it('gets warm after one window and cold after the other, and says when', async () => {
    const test = await running();
    const startMs = test.clock.now();
    expect((await life(test)).sleepsAt).toBe(new Date(startMs + 30_000).toISOString());
    await after(test, 29.9);
    expect(await stateOf(test)).toBe('running');
    await after(test, 0.1);
    expect(await life(test)).toMatchObject({
      state: 'warm',
      since: new Date(startMs + 30_000).toISOString(),
      sleepsAt: new Date(startMs + 630_000).toISOString(),
      lastSleep: { kind: 'warm', cause: 'idle for 30 s' },
    });
    await after(test, 599.9);
    expect(await stateOf(test)).toBe('warm');
    await after(test, 0.1);
    expect(await life(test)).toMatchObject({
      state: 'cold',
      lastSleep: { kind: 'cold', cause: 'warm for 10 min' },
    });
    expect(await test.deps.driver.list()).toEqual([]);
  });

  it('is thawed by a wake, and its window begins anew', async () => {
    const test = await running();
    await after(test, 30);
    const wake = await test.deps.lifecycle.wake(test.sprite, test.signal, 'exec');
    expect(wake).toMatchObject({ kind: 'warm', cause: 'exec' });
    await after(test, 29);
    expect(await stateOf(test)).toBe('running');
    expect(test.deps.driver.log.map((line) => line.split(' ')[0])).toEqual(['start', 'freeze', 'thaw']);
  });

  it('has windows of its own, changed while it runs, and none with never', async () => {
    const test = await running();
    const put = (change: object): Promise<SpriteRecord> =>
      updateSprite(test.deps, { orgId: test.org.id, name: 'demo', idle: change });
    await put({ warm_after_s: 'never' });
    await after(test, 1_000_000);
    expect(await life(test)).toMatchObject({ state: 'running', sleepsAt: undefined });
    await put({ warm_after_s: 5, cold_after_s: 'never' });
    await after(test, 0);
    await after(test, 1_000_000);
    expect(await life(test)).toMatchObject({ state: 'warm', sleepsAt: undefined });
    await put({ cold_after_s: null });
    await after(test, 0);
    expect(await stateOf(test)).toBe('cold');
  });
});

describe('what holds a sprite', () => {
  it('is a connection for as long as it is open, and for one window more', async () => {
    const test = await running();
    const release = test.deps.lifecycle.hold(test.sprite.id, { kind: 'connection', label: 'exec' });
    await after(test, 3600);
    expect(await life(test)).toMatchObject({
      state: 'running',
      sleepsAt: undefined,
      heldBy: [{ kind: 'connection', label: 'exec' }],
    });
    release();
    release();
    await after(test, 29);
    expect(await stateOf(test)).toBe('running');
    await after(test, 1);
    expect(await stateOf(test)).toBe('warm');
  });

  it('is a task until its end, also when the agent tells nothing more', async () => {
    const test = await running();
    const until = new Date(test.clock.now() + 100_000).toISOString();
    test.agent.says = { holds: [{ kind: 'task', id: 'a', label: 'agent', until }], lastActiveMs: 0 };
    test.deps.lifecycle.reportActivity(test.sprite.id, test.agent.says);
    const sleepsAt = new Date(test.clock.now() + 130_000).toISOString();
    expect(await life(test)).toMatchObject({ sleepsAt, heldBy: [{ kind: 'task', label: 'agent' }] });
    await after(test, 129);
    expect(await stateOf(test)).toBe('running');
    await after(test, 1);
    expect(await stateOf(test)).toBe('warm');
  });

  it('is a session for one window from its last output on, also one of which no report came', async () => {
    const test = await running();
    await test.clock.advance(29_000);
    const session = { kind: 'session', id: '7', label: 'npm test', lastActiveMs: test.clock.now() } as const;
    test.agent.says = { holds: [session], lastActiveMs: 0 };
    await after(test, 1);
    expect(await stateOf(test)).toBe('running');
    expect((await life(test)).heldBy).toMatchObject([{ kind: 'session', id: '7', label: 'npm test' }]);
    await after(test, 28.9);
    expect(await stateOf(test)).toBe('running');
    await after(test, 0.1);
    expect(await stateOf(test)).toBe('warm');
  });

  it('is not activity in the future, whatever an agent says', async () => {
    const test = await running();
    const session = { kind: 'session', id: '7', label: 'x', lastActiveMs: Number.MAX_VALUE } as const;
    test.deps.lifecycle.reportActivity(test.sprite.id, { holds: [session], lastActiveMs: Number.MAX_VALUE });
    await after(test, 30);
    expect(await stateOf(test)).toBe('warm');
  });

  it('is an agent that does not answer, until it does', async () => {
    const test = await running();
    test.agent.says = undefined;
    await after(test, 30);
    expect(await life(test)).toMatchObject({ state: 'running', heldBy: [{ kind: 'unknown' }] });
    await after(test, 9.9);
    test.agent.says = idle;
    expect(await stateOf(test)).toBe('running');
    await after(test, 0.1);
    expect(await stateOf(test)).toBe('warm');
  });
});

describe('a sprite that fell asleep', () => {
  it('by mistake, as a late report shows, is woken again', async () => {
    const test = await running();
    await after(test, 30);
    const task = {
      kind: 'task',
      id: 'a',
      label: 'a',
      until: new Date(test.clock.now() + 60_000).toISOString(),
    };
    const said = { holds: [task], lastActiveMs: 0 } as Activity;
    test.deps.lifecycle.reportActivity(test.sprite.id, said);
    await expect.poll(() => stateOf(test)).toBe('running');
    expect((await life(test)).lastWake).toMatchObject({ cause: 'it was busy as it fell asleep' });
  });

  it('because somebody asked for it stays asleep, whatever it reports', async () => {
    const test = await running();
    await test.deps.lifecycle.sleep(test.sprite.id, { to: 'warm' });
    const said = {
      holds: [{ kind: 'task', id: 'a', label: 'a' }],
      lastActiveMs: test.clock.now(),
    } as Activity;
    test.deps.lifecycle.reportActivity(test.sprite.id, said);
    test.deps.lifecycle.holdInside(test.sprite.id, 'POST')();
    await test.deps.lifecycle.exclusively(test.sprite.id, async () => {});
    expect(await stateOf(test)).toBe('warm');
  });

  it('and then died is cold, and starts at its next use', async () => {
    const test = await running();
    await after(test, 30);
    test.deps.driver.die(test.sprite.id);
    await expect.poll(() => stateOf(test)).toBe('cold');
    expect((await test.deps.lifecycle.wake(test.sprite, test.signal)).kind).toBe('cold');
    await test.deps.events.flush();
    const events = await test.deps.store.listEvents({ spriteId: test.sprite.id, limit: 10 });
    expect(events.map(({ type }) => type)).toEqual(['created', 'woke', 'slept', 'crashed', 'slept', 'woke']);
  });

  it('is found warm, with its time counting on, by the next server; one half woken is found running', async () => {
    const test = await running();
    const other = await createSprite(test.deps, { name: 'other', orgId: test.org.id }, test.signal);
    await test.deps.lifecycle.wake(other, test.signal);
    await after(test, 30);
    const before = await life(test);
    await test.deps.lifecycle.close();
    await test.deps.driver.thaw(other.id);
    const next = await fixture({}, { left: test, clock: test.clock });
    await reconcile(next.deps, next.deps.lifecycle);
    const again = { ...test, ...next };
    expect(await life(again)).toEqual(before);
    expect(next.deps.lifecycle.isRunning(other.id)).toBe(true);
    expect((await next.deps.store.findSpriteById(other.id))?.status).toBe('running');
    await after(again, 600);
    expect(await stateOf(again)).toBe('cold');
  });
});

describe('a host short of memory', () => {
  it('stops warm sprites, the longest-warm first, until it has its reserve again', async () => {
    const test = await running({ memoryReserveBytes: 100, reclaimWarm: true });
    const { lifecycle, driver } = test.deps;
    const younger = await createSprite(test.deps, { name: 'younger', orgId: test.org.id }, test.signal);
    await lifecycle.sleep(test.sprite.id, { to: 'warm' });
    await test.clock.advance(1000);
    await lifecycle.wake(younger, test.signal);
    await lifecycle.sleep(younger.id, { to: 'warm' });
    const available = [99, 100];
    const memory = async () => ({ availableBytes: available.shift() ?? 100, totalBytes: 1000 });
    expect(await relievePressure({ ...test.deps, memory }, test.signal)).toBe(1);
    expect((await driver.list()).map(({ spriteId }) => spriteId)).toEqual([younger.id]);
    const none = async () => ({ availableBytes: 0, totalBytes: 1000 });
    expect(await relievePressure({ ...test.deps, memory: none }, test.signal)).toBe(1);
    expect(driver.log.filter((line) => line.startsWith('reclaim'))).toHaveLength(2);
    expect((await life(test)).lastSleep).toEqual({ kind: 'cold', cause: 'the host is short of memory' });
  });
});

import type { Duplex } from 'node:stream';
import { createSprite, getSprite, removeSprite, type SpriteRecord } from '@sprites/core';
import { MemoryDriver } from '@sprites/drivers/memory';
import { ManualClock } from '@sprites/testkit';
import { describe, expect, it } from 'vitest';
import { Metrics } from '../metrics.ts';
import type { AgentRoute } from '../sockets/agent-routes.ts';
import { Connections } from '../sockets/connections.ts';
import { type GateDeps, reach } from '../sockets/gate.ts';
import { type Fixture, fixture } from './fixture.ts';

const runs = 10_000;
const runsPerFixture = 250;
const stepsPerRun = 14;

/** Numbers from 0 to below `n`, the same for the same seed. */
type Random = (n: number) => number;

function createRandom(seed: number): Random {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    const again = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((again ^ (again >>> 15)) >>> 0) % n;
  };
}

/** Lets up to `most` other steps of pending work go first. */
async function hop(random: Random, most = 24): Promise<void> {
  for (let hops = random(most); hops > 0; hops--) await undefined;
}

/** Machines that take their time, a different one each time. */
class SlowDriver extends MemoryDriver {
  random: Random = () => 0;

  override async start(...[spec, plug, signal]: Parameters<MemoryDriver['start']>): Promise<void> {
    await hop(this.random);
    await super.start(spec, plug, signal);
    await hop(this.random);
  }

  override async stop(spriteId: string): Promise<void> {
    await hop(this.random);
    await super.stop(spriteId);
    await hop(this.random);
  }

  override async freeze(spriteId: string, signal: AbortSignal): Promise<void> {
    await hop(this.random);
    await super.freeze(spriteId, signal);
    await hop(this.random);
  }

  override async thaw(spriteId: string): Promise<void> {
    await hop(this.random);
    await super.thaw(spriteId);
    await hop(this.random);
  }

  override async dial(spriteId: string, signal: AbortSignal): Promise<Duplex> {
    await hop(this.random);
    const stream = await super.dial(spriteId, signal);
    await hop(this.random, 4);
    return stream;
  }
}

const route: AgentRoute = {
  route: 'exec',
  name: 'demo',
  target: '/v1/exec',
  needsSession: false,
  isSocket: true,
  isPlain: true,
};

/** One server in memory, and one sprite of it at a time. */
type World = {
  readonly test: Fixture;
  readonly driver: SlowDriver;
  readonly clock: ManualClock;
  readonly gate: GateDeps;
  /** what the agent says when it is asked */
  readonly agent: { busy: boolean; silent: boolean };
};

async function openWorld(random: Random): Promise<World> {
  const driver = new SlowDriver();
  const clock = new ManualClock();
  const agent = { busy: false, silent: false };
  const activity = async () => {
    await hop(random);
    if (agent.silent) throw new Error('the agent does not answer');
    return { holds: [], lastActiveMs: agent.busy ? clock.now() : 0 };
  };
  const health = async () => {
    await hop(random);
    return { version: '1.2.3' };
  };
  const test = await fixture({ wakeTimeoutMs: 60_000 }, { driver, clock, agents: { activity, health } });
  const { store, lifecycle } = test.deps;
  const connections = new Connections();
  const metrics = new Metrics(
    async () => ({}),
    () => 0,
  );
  lifecycle.observe({
    onWake: () => {},
    onWakeFailed: () => {},
    onRunning: () => {},
    onSleep: (spriteId) => connections.close(spriteId, 1001, 'asleep'),
    onStop: (spriteId) => connections.close(spriteId, 1001, 'stopped'),
  });
  return {
    test,
    driver,
    clock,
    agent,
    gate: { store, driver, lifecycle, connections, metrics, version: '1' },
  };
}

/** A sprite under random requests, sleeps, looks at the clock, reports, deaths and checkpoints. */
class Run {
  readonly #world: World;
  readonly #random: Random;
  readonly #sprite: SpriteRecord;
  readonly #open = new Set<Duplex>();
  readonly #pending: Promise<unknown>[] = [];
  readonly #log: string[] = [];
  #mayDie = true;

  constructor(world: World, random: Random, sprite: SpriteRecord) {
    this.#world = world;
    this.#random = random;
    this.#sprite = sprite;
  }

  /** Everything that happened, for the message of a failure. */
  get story(): string {
    return this.#log.join(', ');
  }

  async go(): Promise<void> {
    for (let step = 0; step < stepsPerRun; step++) {
      this.#pending.push(this.#act(this.#random(20)));
      await hop(this.#random, 40);
      await this.#expectNoneFrozen();
    }
    this.#world.agent.silent = false;
    this.#world.agent.busy = false;
    await Promise.all(this.#pending);
    await this.#expectNoneFrozen();
  }

  /** Whatever happened, the sprite answers, falls asleep, goes cold, and all who know of it agree. */
  async expectNotStuck(): Promise<void> {
    const { clock, test } = this.#world;
    const stream = await reach(this.#world.gate, this.#sprite, route, test.signal);
    await this.#expectState('running');
    await this.#tick(3_600_000);
    await this.#expectState('running');
    for (const open of [stream, ...this.#open]) open.destroy();
    await clock.advance(0);
    await this.#tick(31_000);
    await this.#tick(31_000);
    await this.#expectState('warm');
    await this.#tick(601_000);
    await this.#expectState('cold');
  }

  async #act(choice: number): Promise<void> {
    const { test, driver, agent } = this.#world;
    const { lifecycle } = test.deps;
    const { id } = this.#sprite;
    if (choice < 6) return this.#exec();
    if (choice < 11) return this.#tick([0, 10_000, 30_000, 31_000, 601_000][choice - 6] ?? 0);
    this.#log.push(`act ${choice}`);
    switch (choice) {
      case 11:
        return lifecycle.sleep(id, { to: 'warm' }).catch((error: unknown) => this.#expectDeath(error));
      case 12:
        return lifecycle.sleep(id, { to: 'cold' });
      case 13:
        await lifecycle.wake(this.#sprite, test.signal);
        return;
      case 14:
        return lifecycle.exclusively(id, () => driver.quiesce(id, () => hop(this.#random)));
      case 15:
        return lifecycle.exclusively(id, async (machine) => {
          await machine.stop();
          await machine.start(this.#sprite);
        });
      case 16:
        agent.busy = this.#random(2) === 0;
        agent.silent = this.#random(3) === 0;
        return;
      case 17:
        return this.#report();
      case 18:
        await lifecycle.relieve('memory pressure');
        return;
      default:
        // a second death would be one too many for a request that meets both
        if (this.#mayDie) driver.die(id);
        this.#mayDie = false;
    }
  }

  /** No request may get lost: it has a stream to a machine that goes on until the stream is closed. */
  async #exec(): Promise<void> {
    this.#log.push('exec');
    const { gate, test } = this.#world;
    const stream = await reach(gate, this.#sprite, route, test.signal);
    this.#log.push(`reached ${stream.destroyed ? 'and cut' : ''}`);
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    await hop(this.#random, 200);
    if (this.#random(4) > 0) stream.destroy();
  }

  async #tick(ms: number): Promise<void> {
    this.#log.push(`tick ${ms}`);
    await this.#world.clock.advance(ms);
    await this.#world.test.deps.lifecycle.tick();
  }

  #report(): void {
    const { test, clock } = this.#world;
    const { lifecycle } = test.deps;
    const until = new Date(clock.now() + this.#random(60_000)).toISOString();
    const task = { kind: 'task', id: 'a', label: 'a', until } as const;
    const holds = this.#random(2) === 0 ? [task] : [];
    const said = { holds, lastActiveMs: clock.now() - this.#random(60_000) };
    lifecycle.reportActivity(this.#sprite.id, this.#random(4) === 0 ? undefined : said);
  }

  /** A machine that has just died cannot be frozen, and whoever asked for that is told. */
  #expectDeath(error: unknown): void {
    if (this.#mayDie) throw error;
    expect(error).toMatchObject({ code: 'unavailable' });
  }

  /** Who has an open stream is not left to wait for a frozen machine. */
  async #expectNoneFrozen(): Promise<void> {
    const frozen = (await this.#world.driver.list()).some((machine) => machine.frozen);
    const open = [...this.#open].filter((stream) => !stream.destroyed);
    expect(frozen && open.length > 0, 'frozen under an open stream').toBe(false);
  }

  async #expectState(state: 'running' | 'warm' | 'cold'): Promise<void> {
    const { test, driver } = this.#world;
    // what a wake changed is written behind it
    await test.deps.lifecycle.exclusively(this.#sprite.id, async () => {});
    const record = await getSprite(test.deps, { orgId: test.org.id, name: this.#sprite.name });
    const machine = (await driver.list()).find(({ spriteId }) => spriteId === this.#sprite.id);
    const seen = machine === undefined ? 'cold' : machine.frozen ? 'warm' : 'running';
    const life = test.deps.lifecycle.describe(record);
    expect({ machine: seen, store: record.status, life: life.state }).toEqual({
      machine: state,
      store: state,
      life: state,
    });
  }
}

async function runOnce(world: World, seed: number): Promise<void> {
  const { test, driver } = world;
  const random = createRandom(seed);
  driver.random = random;
  const name = `demo-${seed}`;
  const sprite = await createSprite(test.deps, { name, orgId: test.org.id }, test.signal);
  const run = new Run(world, random, sprite);
  try {
    await run.go();
    await run.expectNotStuck();
  } catch (error) {
    throw new Error(`interleaving ${seed} failed: ${run.story}`, { cause: error });
  }
  await removeSprite(test.deps, { orgId: test.org.id, name });
}

describe('requests, sleeps and deaths in any order', () => {
  it('lose no request and leave no sprite stuck, in 10,000 interleavings', { timeout: 300_000 }, async () => {
    for (let first = 0; first < runs; first += runsPerFixture) {
      const world = await openWorld(createRandom(first));
      for (let seed = first; seed < first + runsPerFixture; seed++) await runOnce(world, seed);
      await world.test.deps.lifecycle.close();
    }
  });
});

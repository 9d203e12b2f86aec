import { SpriteError } from '@sprites/contract';
import type { SleepRecord, SpritePatch, SpriteRecord } from '../ports/store.ts';
import { explainDamage, requireDisk } from './disk-damage.ts';
import { Holds } from './holds.ts';
import type { LifecycleDeps, LifecycleObservers, Wake } from './lifecycle.ts';
import { createMachineSpec } from './machine-spec.ts';

/** A machine of a sprite on this host. */
export type Machine = {
  /** the newest known record of the sprite */
  record: SpriteRecord;
  /** `freezing` and `stopping`: requests wait for the end of that, and then wake it */
  state: 'running' | 'freezing' | 'warm' | 'stopping';
  sinceMs: number;
  /** true when somebody asked for the sleep although the sprite was busy */
  forced: boolean;
};

type SpriteName = Pick<SpriteRecord, 'id' | 'name'>;

/** How long an agent may take to answer after a thaw, in `ms`. */
const aliveTimeoutMs = 5000;

/** The machines of this host, and what changes them. Work on one sprite must not overlap: see `Lifecycle`. */
export class Machines {
  readonly holds: Holds;
  observers: LifecycleObservers = {
    onWake: () => {},
    onWakeFailed: () => {},
    onRunning: () => {},
    onSleep: () => {},
    onStop: () => {},
  };
  readonly #deps: LifecycleDeps;
  readonly #closing: AbortSignal;
  readonly #onStarted: (sprite: SpriteRecord) => void;
  readonly #machines = new Map<string, Machine>();

  /** `onStarted` is told of each machine that is there now, to watch it. */
  constructor(deps: LifecycleDeps, closing: AbortSignal, onStarted: (sprite: SpriteRecord) => void) {
    this.#deps = deps;
    this.#closing = closing;
    this.#onStarted = onStarted;
    this.holds = new Holds(deps.clock);
    deps.changes.subscribe(({ sprite }) => {
      const machine = this.#machines.get(sprite.id);
      if (machine !== undefined) machine.record = sprite;
    });
  }

  get(spriteId: string): Machine | undefined {
    return this.#machines.get(spriteId);
  }

  all(): readonly Machine[] {
    return [...this.#machines.values()];
  }

  /** Takes over a machine that exists. */
  adopt(record: SpriteRecord, state: 'running' | 'warm'): void {
    const { clock } = this.#deps;
    const since = record.stateSince === undefined ? Number.NaN : Date.parse(record.stateSince);
    const sinceMs = Number.isNaN(since) ? clock.now() : Math.min(since, clock.now());
    const forced = state === 'warm' && record.lastSleep?.forced === true;
    this.#machines.set(record.id, { record, state, sinceMs, forced });
    this.#onStarted(record);
    if (state === 'warm') {
      this.holds.touch(record.id, record.lastActiveAt === undefined ? 0 : Date.parse(record.lastActiveAt));
      return;
    }
    // nobody knows what it did while there was no server
    this.holds.touch(record.id);
    this.observers.onRunning(record.id);
  }

  /** Starts the machine of a sprite that has none; one that does not come up leaves nothing. */
  async start({ id, name }: SpriteName, cause: string): Promise<Wake> {
    const { store, clock, settings, policies, driver, agents } = this.#deps;
    if (this.#machines.has(id)) throw new Error(`sprite ${id} has a machine`);
    const startedAt = clock.now();
    const sprite = await store.findSpriteById(id);
    if (sprite === undefined || sprite.deletedAt !== undefined) {
      throw new SpriteError('sprite_not_found', `sprite ${name} not found`);
    }
    const limit = AbortSignal.any([AbortSignal.timeout(settings.wakeTimeoutMs), this.#closing]);
    let record: SpriteRecord | undefined;
    let step = 'its machine was still starting';
    try {
      await requireDisk(this.#deps, sprite);
      const spec = await createMachineSpec(this.#deps, sprite);
      await driver.start(spec, (target) => policies.plug(sprite, target), limit);
      step = 'the program inside it did not answer';
      await agents.health(id, limit);
      record = await this.#noteStart(id, { incarnation: spec.incarnation, startedAt, cause });
    } catch (error) {
      await this.#release(sprite);
      this.observers.onWakeFailed();
      const explained = await explainDamage(this.#deps, sprite, error);
      const failure = this.#wakeError(sprite, { limit, cause: explained, step });
      this.#deps.events.record(id, { type: 'wake_failed', message: failure.message, details: { cause } });
      throw failure;
    }
    this.adopt(record ?? sprite, 'running');
    return this.#woke(id, { kind: 'cold', tookMs: clock.now() - startedAt, cause });
  }

  /** Lets a warm machine go on where it was. */
  async thaw(machine: Machine, cause: string): Promise<Wake> {
    const { id } = machine.record;
    const { clock, driver } = this.#deps;
    const startedAt = clock.now();
    await driver.thaw(id);
    await this.#expectAlive(id);
    const wake = { kind: 'warm', tookMs: clock.now() - startedAt, cause } as const;
    this.#become(machine, 'running', { lastWake: wake });
    machine.forced = false;
    this.holds.touch(id);
    this.observers.onRunning(id);
    return this.#woke(id, wake);
  }

  /** Throws when the agent died in its sleep. One that lives and does not answer is the business of those who ask it. */
  async #expectAlive(spriteId: string): Promise<void> {
    const overdue = AbortSignal.timeout(aliveTimeoutMs);
    try {
      await this.#deps.agents.health(spriteId, AbortSignal.any([overdue, this.#closing]));
    } catch (error) {
      if (!overdue.aborted) throw error;
    }
  }

  /** Writes what a thaw changed; apart from it, as nobody needs to wait for that. */
  async noteThaw(spriteId: string): Promise<void> {
    const machine = this.#machines.get(spriteId);
    if (machine?.state !== 'running') return;
    const now = new Date(this.#deps.clock.now()).toISOString();
    const { lastWake } = machine.record;
    await this.#update(spriteId, { ...statusOf(machine), lastWake, lastRunningAt: now, lastActiveAt: now });
  }

  /** Stops the programs of a running machine where they are; when they cannot be stopped, they go on and this rejects. */
  async freeze(machine: Machine, cause: string, forced: boolean): Promise<void> {
    const { id } = machine.record;
    const { driver, clock } = this.#deps;
    const startedAt = clock.now();
    const lastActiveAt = this.lastActiveAt(machine);
    machine.state = 'freezing';
    machine.forced = forced;
    try {
      this.observers.onSleep(id);
      await driver.freeze(id, this.#closing);
    } catch (error) {
      machine.state = 'running';
      throw error;
    }
    const lastSleep: SleepRecord = { kind: 'warm', cause, ...(forced ? { forced } : {}) };
    this.#become(machine, 'warm', { lastSleep, lastActiveAt });
    const ms = machine.sinceMs - startedAt;
    const lastWarmingAt = new Date(machine.sinceMs).toISOString();
    await this.#update(id, { ...statusOf(machine), lastSleep, lastWarmingAt, lastActiveAt });
    this.#deps.events.record(id, {
      type: 'slept',
      message: `asleep, with all its memory: ${cause}`,
      details: { to: 'warm', ms, cause },
    });
  }

  /** Ends the machine, if there is one; the disk stays. */
  async stop(spriteId: string, cause: string): Promise<void> {
    const machine = this.#machines.get(spriteId);
    const lastActiveAt = machine === undefined ? undefined : this.lastActiveAt(machine);
    if (machine !== undefined) machine.state = 'stopping';
    this.observers.onStop(spriteId);
    const sprite = await this.#deps.store.findSpriteById(spriteId);
    if (sprite !== undefined) await this.#release(sprite);
    this.holds.machineEnded(spriteId);
    if (sprite !== undefined && sprite.status !== 'cold') await this.#noteStop(spriteId, cause, lastActiveAt);
    this.#machines.delete(spriteId);
  }

  async #noteStop(spriteId: string, cause: string, lastActiveAt: string | undefined): Promise<void> {
    const lastSleep: SleepRecord = { kind: 'cold', cause };
    const stateSince = new Date(this.#deps.clock.now()).toISOString();
    await this.#update(spriteId, {
      status: 'cold',
      stateSince,
      lastSleep,
      ...(lastActiveAt === undefined ? {} : { lastActiveAt }),
    });
    this.#deps.events.record(spriteId, {
      type: 'slept',
      message: `stopped: ${cause}`,
      details: { to: 'cold', cause },
    });
  }

  /** When the sprite of a machine last did something. */
  lastActiveAt({ record }: Machine): string | undefined {
    const { lastActiveMs } = this.holds.read(record.id, 0);
    return lastActiveMs === 0 ? record.lastActiveAt : new Date(lastActiveMs).toISOString();
  }

  /** What changes is shown at once, and written afterwards. */
  #become(machine: Machine, state: Machine['state'], change: SpritePatch): void {
    machine.state = state;
    machine.record = { ...machine.record, ...change };
    machine.sinceMs = this.#deps.clock.now();
  }

  #woke(spriteId: string, wake: Required<Wake>): Wake {
    const { kind, tookMs, cause } = wake;
    this.observers.onWake(wake);
    this.#deps.events.record(spriteId, {
      type: 'woke',
      message: `awake, from ${kind} in ${tookMs} ms: ${cause}`,
      details: { from: kind, ms: tookMs, cause },
    });
    return wake;
  }

  #noteStart(
    id: string,
    start: { readonly incarnation: number; readonly startedAt: number; readonly cause: string },
  ): Promise<SpriteRecord | undefined> {
    const nowMs = this.#deps.clock.now();
    const now = new Date(nowMs).toISOString();
    return this.#update(id, {
      status: 'running',
      stateSince: now,
      incarnation: start.incarnation,
      lastStartedAt: new Date(start.startedAt).toISOString(),
      lastRunningAt: now,
      lastActiveAt: now,
      lastWake: { kind: 'cold', tookMs: nowMs - start.startedAt, cause: start.cause },
    });
  }

  #wakeError(
    sprite: SpriteRecord,
    { limit, cause, step }: { readonly limit: AbortSignal; readonly cause: unknown; readonly step: string },
  ): SpriteError {
    if (limit.aborted && !this.#closing.aborted) {
      const seconds = this.#deps.settings.wakeTimeoutMs / 1000;
      const message = `sprite ${sprite.name} was not ready within ${seconds} s: ${step}`;
      return new SpriteError('wake_timeout', message, { cause });
    }
    if (cause instanceof SpriteError && cause.code !== 'agent_unreachable') return cause;
    const reason = cause instanceof SpriteError ? cause.message : 'its machine could not be started';
    return new SpriteError('wake_failed', `sprite ${sprite.name} did not wake: ${reason}`, { cause });
  }

  async #release(sprite: SpriteRecord): Promise<void> {
    await this.#deps.driver.stop(sprite.id);
    await this.#deps.network.unplug(sprite.slot);
  }

  async #update(id: string, patch: SpritePatch): Promise<SpriteRecord | undefined> {
    const sprite = await this.#deps.store.updateSprite(id, patch);
    if (sprite !== undefined && sprite.deletedAt === undefined)
      this.#deps.changes.publish({ type: 'changed', sprite });
    return sprite;
  }
}

function statusOf({ state, sinceMs }: Machine): Pick<SpriteRecord, 'status' | 'stateSince'> {
  return {
    status: state === 'warm' ? 'warm' : 'running',
    stateSince: new Date(sinceMs).toISOString(),
  };
}

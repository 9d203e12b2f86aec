import { SpriteError } from '@sprites/contract';
import type { Changes } from '../changes/changes.ts';
import { undoRestore } from '../checkpoints/restore.ts';
import type { Events } from '../events/events.ts';
import type { Agents } from '../ports/agents.ts';
import type { Clock } from '../ports/clock.ts';
import type { Disks } from '../ports/disks.ts';
import type { Driver } from '../ports/driver.ts';
import type { Images } from '../ports/images.ts';
import type { Log } from '../ports/log.ts';
import type { Network } from '../ports/network.ts';
import type { SpritePatch, SpriteRecord, Store } from '../ports/store.ts';
import type { Settings } from '../settings.ts';
import { CrashLimit } from './crash-limit.ts';
import { createMachineSpec } from './machine-spec.ts';
import { SingleFlight } from './single-flight.ts';
import { Turns } from './turns.ts';

export type LifecycleDeps = {
  readonly store: Store;
  readonly disks: Disks;
  readonly images: Images;
  readonly driver: Driver;
  readonly network: Network;
  readonly agents: Agents;
  readonly clock: Clock;
  readonly changes: Changes;
  readonly events: Events;
  readonly settings: Settings;
  readonly log: Log;
};

/** How a sprite woke. */
export type Wake = { readonly kind: 'running' | 'cold'; readonly tookMs: number };

/** Who is told of what happens to machines; the functions must not throw and must not wait. */
export type LifecycleObservers = {
  /** a sprite woke from cold */
  readonly onWake: (wake: Wake) => void;
  readonly onWakeFailed: () => void;
  /** the sprite has a machine whose agent answers, started now or by an earlier server */
  readonly onRunning: (spriteId: string) => void;
  /** the machine of a sprite is about to be stopped */
  readonly onStop: (spriteId: string) => void;
};

/** Stops and starts the machine of a sprite that some work has to itself. */
export type MachineControl = {
  readonly stop: () => Promise<void>;
  readonly start: (sprite: Pick<SpriteRecord, 'id' | 'name'>) => Promise<void>;
};

/**
 * Starts and stops machines. Work on one sprite happens one after the other; `close` stops watching machines but
 * leaves them running, so that the next server finds them.
 */
export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #running = new Set<string>();
  readonly #waking = new SingleFlight<Wake>();
  readonly #turns = new Turns();
  readonly #crashes: CrashLimit;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();
  #observers: LifecycleObservers = {
    onWake: () => {},
    onWakeFailed: () => {},
    onRunning: () => {},
    onStop: () => {},
  };

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
    this.#crashes = new CrashLimit(deps.clock);
  }

  /** Sets who is told of wakes and of machines about to be stopped. */
  observe(observers: LifecycleObservers): void {
    this.#observers = observers;
  }

  isRunning(spriteId: string): boolean {
    return this.#running.has(spriteId);
  }

  /** True while a sprite wakes. */
  get isWaking(): boolean {
    return this.#waking.isFlying;
  }

  /** Resolves when no sprite wakes. */
  quiet(signal: AbortSignal): Promise<void> {
    return abortable(this.#waking.landed(), signal);
  }

  /**
   * Makes sure that the sprite's machine runs and its agent answers; concurrent callers share one start.
   * Throws `wake_failed`, `wake_timeout`, or `sprite_not_found` when it is deleted meanwhile. A caller that
   * gives up by its signal does not end the start for the others.
   */
  async wake(sprite: Pick<SpriteRecord, 'id' | 'name'>, signal: AbortSignal): Promise<Wake> {
    if (this.#running.has(sprite.id)) return { kind: 'running', tookMs: 0 };
    const wake = this.#waking.join(sprite.id, () =>
      this.#turns.take(sprite.id, async () => {
        await this.#finishRestore(sprite.id);
        return this.#start(sprite);
      }),
    );
    return abortable(wake, signal);
  }

  /** Stops the machine, if any; the disk stays. */
  async sleep(spriteId: string): Promise<void> {
    await this.#turns.take(spriteId, () => this.#stop(spriteId));
  }

  /** Stops the machine and starts a new one. */
  async restart(sprite: Pick<SpriteRecord, 'id' | 'name'>): Promise<Wake> {
    await this.sleep(sprite.id);
    return this.wake(sprite, this.#closing.signal);
  }

  /**
   * Does work that has the sprite to itself: it neither wakes nor stops meanwhile but by the control it is given.
   * Requests for a stopped sprite wait for the end of the work; those for a running one go on.
   */
  async exclusively<T>(spriteId: string, work: (machine: MachineControl) => Promise<T>): Promise<T> {
    return this.#turns.take(spriteId, async () => {
      await this.#finishRestore(spriteId);
      return work({
        stop: () => this.#stop(spriteId),
        start: async (sprite) => {
          await this.#start(sprite);
        },
      });
    });
  }

  /** Stops the machine, removes the disk and forgets the sprite; it must be marked as deleted already. */
  async erase(sprite: SpriteRecord): Promise<void> {
    await this.#turns.take(sprite.id, async () => {
      await this.#stop(sprite.id);
      await this.#deps.disks.remove(sprite.id);
      await this.#deps.store.removeSprite(sprite.id);
    });
  }

  /** Takes over a machine that an earlier server process started. */
  adopt(sprite: SpriteRecord): void {
    this.#running.add(sprite.id);
    this.#watch(sprite);
    this.#observers.onRunning(sprite.id);
  }

  /** Runs work nobody waits for; a failure is logged, and `close` waits for its end. */
  inBackground(what: string, work: () => Promise<unknown>): void {
    const task = work()
      .then(() => {})
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#deps.log.error({ err: error }, `${what} failed`);
      })
      .finally(() => this.#background.delete(task));
    this.#background.add(task);
  }

  async close(): Promise<void> {
    this.#closing.abort(new SpriteError('unavailable', 'the server is shutting down'));
    await Promise.all(this.#background);
  }

  /** A restore that neither went through nor could be undone is undone now: nothing may be written to its disk. */
  async #finishRestore(spriteId: string): Promise<void> {
    const sprite = await this.#deps.store.findSpriteById(spriteId);
    if (sprite?.restoring === undefined) return;
    await this.#stop(spriteId);
    await undoRestore(this.#deps, sprite);
  }

  async #start({ id, name }: Pick<SpriteRecord, 'id' | 'name'>): Promise<Wake> {
    const { store, clock, settings, network, driver, agents } = this.#deps;
    if (this.#running.has(id)) return { kind: 'running', tookMs: 0 };
    const startedAt = clock.now();
    const sprite = await store.findSpriteById(id);
    if (sprite === undefined || sprite.deletedAt !== undefined) {
      throw new SpriteError('sprite_not_found', `sprite ${name} not found`);
    }
    const spec = await createMachineSpec(this.#deps, sprite);
    const limit = AbortSignal.any([AbortSignal.timeout(settings.wakeTimeoutMs), this.#closing.signal]);
    let record: SpriteRecord | undefined;
    try {
      await driver.start(spec, (target) => network.plug(spec.slot, target), limit);
      await agents.health(id, limit);
      record = await this.#noteStart(id, spec.incarnation, startedAt);
    } catch (error) {
      await this.#release(sprite);
      this.#observers.onWakeFailed();
      throw this.#wakeError(sprite, limit, error);
    }
    this.#running.add(id);
    this.#watch(record ?? sprite);
    this.#observers.onRunning(id);
    const wake: Wake = { kind: 'cold', tookMs: clock.now() - startedAt };
    this.#observers.onWake(wake);
    return wake;
  }

  #noteStart(id: string, incarnation: number, startedAtMs: number): Promise<SpriteRecord | undefined> {
    const now = new Date(this.#deps.clock.now()).toISOString();
    const lastStartedAt = new Date(startedAtMs).toISOString();
    return this.#update(id, {
      status: 'running',
      incarnation,
      lastStartedAt,
      lastRunningAt: now,
      lastActiveAt: now,
    });
  }

  #wakeError(sprite: SpriteRecord, limit: AbortSignal, cause: unknown): SpriteError {
    if (limit.aborted && !this.#closing.signal.aborted) {
      const seconds = this.#deps.settings.wakeTimeoutMs / 1000;
      return new SpriteError('wake_timeout', `sprite ${sprite.name} was not ready within ${seconds} s`, {
        cause,
      });
    }
    if (cause instanceof SpriteError && cause.code !== 'agent_unreachable') return cause;
    const reason = cause instanceof SpriteError ? cause.message : 'its machine could not be started';
    return new SpriteError('wake_failed', `sprite ${sprite.name} did not wake: ${reason}`, { cause });
  }

  async #stop(spriteId: string): Promise<void> {
    this.#running.delete(spriteId);
    this.#observers.onStop(spriteId);
    const sprite = await this.#deps.store.findSpriteById(spriteId);
    if (sprite === undefined) return;
    await this.#release(sprite);
    if (sprite.status !== 'cold') await this.#update(spriteId, { status: 'cold' });
  }

  async #release(sprite: SpriteRecord): Promise<void> {
    await this.#deps.driver.stop(sprite.id);
    await this.#deps.network.unplug(sprite.slot);
  }

  #watch(sprite: SpriteRecord): void {
    this.inBackground(`watching sprite ${sprite.name}`, async () => {
      await this.#deps.driver.exited(sprite.id, this.#closing.signal);
      await this.#turns.take(sprite.id, () => this.#afterExit(sprite));
    });
  }

  async #afterExit(sprite: SpriteRecord): Promise<void> {
    const current = await this.#deps.store.findSpriteById(sprite.id);
    const mine = current !== undefined && current.incarnation === sprite.incarnation;
    if (!mine || !this.#running.has(sprite.id)) return;
    this.#deps.log.warn({ sprite: sprite.name }, 'the machine ended by itself');
    await this.#stop(sprite.id);
    if (!this.#crashes.allows(sprite.id)) {
      this.#deps.log.warn(
        { sprite: sprite.name },
        'not restarted: it ended too often; its next use wakes it',
      );
      return;
    }
    this.inBackground(`restart of sprite ${sprite.name}`, () => this.wake(sprite, this.#closing.signal));
  }

  async #update(id: string, patch: SpritePatch): Promise<SpriteRecord | undefined> {
    const sprite = await this.#deps.store.updateSprite(id, patch);
    if (sprite !== undefined && sprite.deletedAt === undefined)
      this.#deps.changes.publish({ type: 'changed', sprite });
    return sprite;
  }
}

async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

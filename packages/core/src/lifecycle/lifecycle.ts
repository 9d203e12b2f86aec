import { SpriteError } from '@sprites/contract';
import type { Activity, Hold } from '@sprites/contract/link';
import type { Changes } from '../changes/changes.ts';
import { undoRestore } from '../checkpoints/replace.ts';
import type { Events } from '../events/events.ts';
import type { Policies } from '../policies/policies.ts';
import type { Agents } from '../ports/agents.ts';
import type { Clock } from '../ports/clock.ts';
import type { Disks } from '../ports/disks.ts';
import type { Driver } from '../ports/driver.ts';
import type { Images } from '../ports/images.ts';
import type { Log } from '../ports/log.ts';
import type { Network } from '../ports/network.ts';
import type { SpriteRecord, Store } from '../ports/store.ts';
import type { Settings } from '../settings.ts';
import { abortable } from './abortable.ts';
import { CrashLimit } from './crash-limit.ts';
import type { HostHold } from './holds.ts';
import { type Life, lifeOf } from './life.ts';
import { type Machine, Machines } from './machines.ts';
import { SingleFlight } from './single-flight.ts';
import { isBusy, Sleep } from './sleep.ts';
import { Turns } from './turns.ts';

export type LifecycleDeps = {
  readonly store: Store;
  readonly disks: Disks;
  readonly images: Images;
  readonly driver: Driver;
  readonly network: Network;
  readonly policies: Policies;
  readonly agents: Agents;
  readonly clock: Clock;
  readonly changes: Changes;
  readonly events: Events;
  readonly settings: Settings;
  readonly log: Log;
};

/** How a sprite woke: what it was before, and what it was woken for. */
export type Wake = {
  readonly kind: 'running' | 'warm' | 'cold';
  readonly tookMs: number;
  readonly cause: string;
};

/** Who is told of what happens to machines; the functions must not throw and must not wait. */
export type LifecycleObservers = {
  /** a sprite woke */
  readonly onWake: (wake: Wake) => void;
  readonly onWakeFailed: () => void;
  /** the sprite has a machine whose agent answers, started or thawed now or started by an earlier server */
  readonly onRunning: (spriteId: string) => void;
  /** the machine of a sprite is about to be frozen */
  readonly onSleep: (spriteId: string) => void;
  /** the machine of a sprite is about to be stopped */
  readonly onStop: (spriteId: string) => void;
};

/** Stops and starts the machine of a sprite that some work has to itself. */
export type MachineControl = {
  readonly stop: () => Promise<void>;
  readonly start: (sprite: SpriteName) => Promise<void>;
};

type SpriteName = Pick<SpriteRecord, 'id' | 'name'>;

/** How long a request waits at most for other work on its sprite and then for the wake, in wake limits. */
const waitInWakeLimits = 2;
/** How long a machine whose agent cannot be dialled has to end, in `ms`; only then is it known to be dead. */
const endTimeoutMs = 1000;

/**
 * Wakes sprites and puts them to sleep. Work on one sprite happens one after the other; `close` stops watching machines
 * but leaves them as they are, so that the next server finds them.
 */
export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #machines: Machines;
  readonly #sleep: Sleep;
  readonly #waking = new SingleFlight<Wake>();
  readonly #turns = new Turns();
  readonly #crashes: CrashLimit;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
    this.#crashes = new CrashLimit(deps.clock);
    const { signal } = this.#closing;
    this.#machines = new Machines(deps, signal, (sprite) => this.#watch(sprite));
    this.#sleep = new Sleep(deps, {
      machines: this.#machines,
      take: (spriteId, work) => this.#turns.take(spriteId, work),
      inBackground: (what, work) => this.inBackground(what, work),
      signal,
    });
  }

  /** Sets who is told of wakes, sleeps and stops. */
  observe(observers: LifecycleObservers): void {
    this.#machines.observers = observers;
  }

  /** True while the programs of the sprite run. */
  isRunning(spriteId: string): boolean {
    return this.#machines.get(spriteId)?.state === 'running';
  }

  /** True while the sprite has programs, running or frozen: then it has sessions. */
  hasMachine(spriteId: string): boolean {
    const state = this.#machines.get(spriteId)?.state;
    return state !== undefined && state !== 'stopping';
  }

  /**
   * The tasks of a sprite that is frozen, of which it told before; one that fell asleep by itself has none. Undefined when
   * it is not frozen. Throws `agent_unreachable` when nobody knows.
   */
  frozenTasks({ id, name }: SpriteName): readonly Hold[] | undefined {
    const machine = this.#machines.get(id);
    if (machine?.state !== 'warm') return undefined;
    if (!machine.forced) return [];
    const tasks = this.#machines.holds.tasks(id);
    if (tasks !== undefined) return tasks;
    const message = `sprite ${name} is asleep in memory, and what it held is not known to this server any more; wake it to ask it`;
    throw new SpriteError('agent_unreachable', message);
  }

  /** What a sprite is doing, and why. */
  describe(sprite: SpriteRecord): Life {
    return lifeOf(this.#deps, this.#machines, sprite);
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
   * Makes sure that the sprite's programs run and its agent answers; concurrent callers share one wake. To keep it
   * awake, `hold` it before. Throws `wake_failed`, `wake_timeout`, or `sprite_not_found` when it is deleted meanwhile. A
   * caller that gives up by its signal does not end the wake for the others.
   */
  async wake(sprite: SpriteName, signal: AbortSignal, cause = 'request'): Promise<Wake> {
    if (this.isRunning(sprite.id)) return { kind: 'running', tookMs: 0, cause };
    const wake = this.#waking.join(sprite.id, () =>
      this.#turns.take(sprite.id, async () => {
        await this.#finishRestore(sprite.id);
        return this.#wakeNow(sprite, cause);
      }),
    );
    const limitMs = this.#deps.settings.wakeTimeoutMs * waitInWakeLimits;
    const overdue = AbortSignal.timeout(limitMs);
    try {
      return await abortable(wake, AbortSignal.any([signal, overdue]));
    } catch (error) {
      if (!overdue.aborted || error !== overdue.reason) throw error;
      const message = `sprite ${sprite.name} was not ready within ${limitMs / 1000} s: other work on it goes on`;
      throw new SpriteError('wake_timeout', message);
    }
  }

  /** Keeps a sprite awake until the returned function is called; it does not wake it. */
  hold(spriteId: string, hold: HostHold): () => void {
    return this.#machines.holds.hold(spriteId, hold);
  }

  /**
   * Keeps a sprite awake for a request of a program inside it until the returned function is called. One that asked as it
   * fell asleep is woken, to hear the answer.
   */
  holdInside(spriteId: string, label: string): () => void {
    const release = this.hold(spriteId, { kind: 'request', label: `${label} from inside` });
    this.#wakeIfUnforced(spriteId, 'it asked for something as it fell asleep');
    return release;
  }

  /**
   * Notes what the sprite's agent says of it; undefined when its link is over. What was said as it fell asleep, and shows
   * that it should not have, wakes it again.
   */
  reportActivity(spriteId: string, activity: Activity | undefined): void {
    const machine = this.#machines.get(spriteId);
    if (machine === undefined) return;
    this.#machines.holds.report(spriteId, activity);
    if (activity === undefined || !isBusy(this.#deps, this.#machines, machine)) return;
    this.#wakeIfUnforced(spriteId, 'it was busy as it fell asleep');
  }

  /**
   * Call it when the agent of a running sprite cannot be dialled: when its machine has ended it is started again, and
   * otherwise `agent_unreachable` is thrown.
   */
  async revive(sprite: SpriteName, signal: AbortSignal, cause = 'request'): Promise<void> {
    const revived = this.#turns.take(sprite.id, async () => {
      if (!this.isRunning(sprite.id) || (await this.#canDial(sprite.id, signal))) return;
      try {
        await this.#deps.driver.exited(sprite.id, AbortSignal.timeout(endTimeoutMs));
      } catch (error) {
        const message = `the program inside sprite ${sprite.name} cannot be reached; try again`;
        throw new SpriteError('agent_unreachable', message, { cause: error });
      }
      this.#recordCrash(sprite, 'its machine had ended when it was used');
      await this.#machines.stop(sprite.id, 'its machine had ended');
    });
    await abortable(revived, signal);
    await this.wake(sprite, signal, cause);
  }

  /** Stops the sprite's programs where they are, in memory, or ends its machine; nothing happens when it is cold. */
  async sleep(
    spriteId: string,
    { to = 'cold', cause = 'asked for' }: { readonly to?: 'warm' | 'cold'; readonly cause?: string } = {},
  ): Promise<void> {
    await this.#turns.take(spriteId, async () => {
      if (to === 'warm') await this.#sleep.freezeNow(spriteId, cause);
      else await this.#machines.stop(spriteId, cause);
    });
  }

  /** Stops the machine and starts a new one. */
  async restart(sprite: SpriteName): Promise<Wake> {
    await this.sleep(sprite.id, { cause: 'restart' });
    return this.wake(sprite, this.#closing.signal, 'restart');
  }

  /**
   * Does work that has the sprite to itself: it neither wakes nor sleeps meanwhile but by the control it is given.
   * Requests for a sleeping sprite wait for the end of the work; those for a running one go on.
   */
  async exclusively<T>(
    spriteId: string,
    work: (machine: MachineControl) => Promise<T>,
    cause = 'an operation on its disk',
  ): Promise<T> {
    return this.#turns.take(spriteId, async () => {
      await this.#finishRestore(spriteId);
      return work({
        stop: () => this.#machines.stop(spriteId, cause),
        start: async (sprite) => {
          await this.#wakeNow(sprite, cause);
        },
      });
    });
  }

  /** Stops the machine, removes the disk and forgets the sprite; it must be marked as deleted already. */
  async erase(sprite: SpriteRecord): Promise<void> {
    await this.#turns.take(sprite.id, async () => {
      await this.#machines.stop(sprite.id, 'deleted');
      this.#machines.holds.forget(sprite.id);
      await this.#deps.disks.remove(sprite.id);
      await this.#deps.store.removeSprite(sprite.id);
    });
  }

  /** Takes over a machine that an earlier server process started, as it is. */
  adopt(sprite: SpriteRecord, state: 'running' | 'warm' = 'running'): void {
    this.#machines.adopt(sprite, state);
  }

  /** Puts idle sprites to sleep from now on, until `close`. */
  watchIdle(): void {
    this.inBackground('looking for idle sprites', () => this.#sleep.run());
  }

  /** One look at which sprites have been idle for long enough; resolves when those are asleep. */
  tick(): Promise<void> {
    return this.#sleep.tick();
  }

  /** Stops the sprite that has been warm for the longest, to free its memory; false when none is warm. */
  relieve(cause: string): Promise<boolean> {
    return this.#sleep.stopLongestWarm(cause);
  }

  /** Runs work nobody waits for; a failure is logged, and `close` aborts its signal and waits for its end. */
  inBackground(what: string, work: (signal: AbortSignal) => Promise<unknown>): void {
    const task = work(this.#closing.signal)
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

  /** Undoes a sleep that was a mistake; what somebody has put to sleep stays so. */
  #wakeIfUnforced(spriteId: string, cause: string): void {
    const machine = this.#machines.get(spriteId);
    if (machine === undefined || machine.forced) return;
    if (machine.state !== 'freezing' && machine.state !== 'warm') return;
    const { record } = machine;
    this.inBackground(`waking sprite ${record.name}`, () => this.wake(record, this.#closing.signal, cause));
  }

  /** A restore that neither went through nor could be undone is undone now: nothing may be written to its disk. */
  async #finishRestore(spriteId: string): Promise<void> {
    const sprite = await this.#deps.store.findSpriteById(spriteId);
    if (sprite?.restoring === undefined) return;
    await this.#machines.stop(spriteId, 'undoing a restore');
    await undoRestore(this.#deps, sprite);
  }

  /** From whatever state; the caller has the sprite to itself. */
  async #wakeNow(sprite: SpriteName, cause: string): Promise<Wake> {
    const machine = this.#machines.get(sprite.id);
    if (machine?.state === 'running') return { kind: 'running', tookMs: 0, cause };
    if (machine === undefined) return this.#machines.start(sprite, cause);
    if (machine.state === 'stopping') {
      // an earlier stop failed half-way
      await this.#machines.stop(sprite.id, cause);
      return this.#machines.start(sprite, cause);
    }
    return (await this.#thaw(machine, cause)) ?? this.#machines.start(sprite, cause);
  }

  /** Undefined when the machine could not go on, as it died while it was frozen: it is cleared away then. */
  async #thaw(machine: Machine, cause: string): Promise<Wake | undefined> {
    const { id, name } = machine.record;
    try {
      const wake = await this.#machines.thaw(machine, cause);
      this.inBackground(`noting that sprite ${name} woke`, () =>
        this.#turns.take(id, () => this.#machines.noteThaw(id)),
      );
      return wake;
    } catch (error) {
      // the next server finds it as it is
      this.#closing.signal.throwIfAborted();
      this.#deps.log.warn({ err: error, sprite: name }, 'a warm machine could not go on');
      this.#recordCrash(machine.record, 'its machine ended while it was warm');
      await this.#machines.stop(id, 'its machine had ended');
      return undefined;
    }
  }

  /** The machine that could not be dialled may have been stopped since then, and another one started. */
  async #canDial(spriteId: string, signal: AbortSignal): Promise<boolean> {
    try {
      (await this.#deps.driver.dial(spriteId, signal)).destroy();
      return true;
    } catch {
      // why does not matter: whether the machine is dead is asked next
      return false;
    }
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
    const machine = this.#machines.get(sprite.id);
    if (!mine || machine === undefined) return;
    this.#deps.log.warn({ sprite: sprite.name }, 'the machine ended by itself');
    const wasRunning = machine.state === 'running';
    const restarts = wasRunning && this.#crashes.allows(sprite.id);
    const next = restarts ? 'it is started again' : 'its next use starts it';
    const why = wasRunning && !restarts ? ', as it ended too often' : '';
    this.#recordCrash(sprite, `its machine ended by itself; ${next}${why}`);
    await this.#machines.stop(sprite.id, 'its machine ended by itself');
    if (!restarts) return;
    this.inBackground(`restart of sprite ${sprite.name}`, () =>
      this.wake(sprite, this.#closing.signal, 'its machine had ended'),
    );
  }

  #recordCrash({ id }: SpriteName, message: string): void {
    this.#deps.events.record(id, { type: 'crashed', message });
  }
}

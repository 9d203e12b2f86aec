import { createId, SpriteError } from '@sprites/contract';
import type { Lifecycle, LifecycleDeps } from '../lifecycle/lifecycle.ts';
import type { Image } from '../ports/images.ts';
import type { PooledRecord } from '../ports/store.ts';
import { type EffectiveConfig, effectiveConfig } from '../sprites/effective-config.ts';
import { mayAddMachine, mayKeepMachines } from './room.ts';

const gibibyte = 1024 ** 3;
/** How often the pool looks whether what it holds is still wanted, in `ms`. */
const checkMs = 15_000;
/** How long it waits after a machine could not be made or died, in `ms`. */
const retryMs = 30_000;
/** How long nobody must have waited for a machine before one is made that nobody waits for, in `ms`. */
const standBackMs = 200;

export type PoolDeps = LifecycleDeps & {
  readonly lifecycle: Lifecycle;
  /** memory of the host, in bytes */
  readonly memory: () => Promise<HostMemory>;
};

export type HostMemory = { readonly availableBytes: number; readonly totalBytes: number };

/** What a machine must be made of to become a certain sprite's. */
export type MachineWish = { readonly imageDigest: string; readonly config: EffectiveConfig };

/** A machine that runs and is nobody's. */
export type PooledMachine = PooledRecord & MachineWish;

type Held = { readonly machine: PooledMachine; readonly left: AbortController };

/**
 * Keeps machines of the default image and sizes running, ready to become new sprites. They are made while nobody waits for a
 * machine, and only when memory, disk and slots suffice. They end with the server, or at the next start of one that was killed.
 */
export class MachinePool {
  readonly #deps: PoolDeps;
  readonly #size: number;
  readonly #closing = new AbortController();
  readonly #held: Held[] = [];
  #nudge = new AbortController();
  #adding = new AbortController();
  #added: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    this.#size = deps.driver.canName ? deps.settings.readyMachines : 0;
  }

  /** Begins to make machines, when there should be any; `reconcile` must have ended. */
  open(): void {
    if (this.#size > 0) this.#loop = this.#keep();
  }

  /** How many machines are ready. */
  get ready(): number {
    return this.#held.length;
  }

  /** Hands out a machine as wished, if there is one; it is the caller's from now on, who must claim it or give it back. */
  take({ imageDigest, config }: MachineWish): PooledMachine | undefined {
    const index = this.#held.findIndex(
      ({ machine }) =>
        machine.imageDigest === imageDigest &&
        machine.config.cpus === config.cpus &&
        machine.config.ram_mb === config.ram_mb &&
        machine.config.storage_gb === config.storage_gb,
    );
    const [taken] = index === -1 ? [] : this.#held.splice(index, 1);
    taken?.left.abort(new Error('the machine left the pool'));
    if (taken !== undefined) this.#nudge.abort(new Error('a machine left the pool'));
    return taken?.machine;
  }

  /** Takes a machine back that was not claimed. */
  giveBack(machine: PooledMachine): void {
    this.#hold(machine);
  }

  /** Ends all machines and gives their slots back: a sprite needs one. More are made after a while. */
  async empty(): Promise<void> {
    this.#adding.abort(new Error('its slot is needed'));
    await this.#added;
    await this.#discard(() => true);
  }

  /** Ends all machines and makes no more. */
  async close(): Promise<void> {
    this.#closing.abort(new SpriteError('unavailable', 'the server is shutting down'));
    await this.#loop;
    await this.#discard(() => true);
  }

  async #keep(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const pauseMs = await this.#refill().catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#deps.log.warn({ err: error }, 'no machine for the pool');
        return retryMs;
      });
      const signal = AbortSignal.any([this.#closing.signal, this.#nudge.signal]);
      await this.#deps.clock.sleep(pauseMs, signal).catch(() => {
        // closing, or a machine was taken
      });
    }
  }

  /** Makes the pool what it should be; answers how long that may be left alone, in `ms`. */
  async #refill(): Promise<number> {
    // a machine that is taken from here on is seen as missing, now or after the pause that this cuts short
    this.#nudge = new AbortController();
    const deps = this.#deps;
    const image = await deps.images.find(deps.settings.defaultImage);
    const roomy = mayKeepMachines(await deps.memory());
    await this.#discard(({ imageDigest }) => !roomy || imageDigest !== image?.digest);
    while (image !== undefined && this.#held.length < this.#size) {
      await this.#standBack();
      if (!(await mayAddMachine(deps))) break;
      this.#adding = new AbortController();
      const adding = this.#add(image, AbortSignal.any([this.#closing.signal, this.#adding.signal]));
      this.#added = adding.catch(() => {
        // told by the loop
      });
      await adding;
    }
    return checkMs;
  }

  /** Waits until nobody has waited for a machine for a moment. */
  async #standBack(): Promise<void> {
    const { lifecycle, clock } = this.#deps;
    do {
      await lifecycle.quiet(this.#closing.signal);
      await clock.sleep(standBackMs, this.#closing.signal);
    } while (lifecycle.isWaking);
  }

  async #add(image: Image, signal: AbortSignal): Promise<void> {
    const { clock, store, settings, network, policies, disks, driver, agents } = this.#deps;
    const config = effectiveConfig(settings, {});
    const capacity = Math.min(network.capacity, settings.maxSprites);
    const pooled = await store.insertPooled(createId('sprite', clock.now()), capacity);
    const machine: PooledMachine = { ...pooled, imageDigest: image.digest, config };
    try {
      await disks.create(machine.id, config.storage_gb * gibibyte);
      const limit = AbortSignal.any([AbortSignal.timeout(settings.wakeTimeoutMs), signal]);
      await driver.start(this.#spec(machine, image), (target) => policies.plug(machine, target), limit);
      await agents.health(machine.id, limit);
      signal.throwIfAborted();
    } catch (error) {
      await this.#end(machine);
      throw error;
    }
    this.#hold(machine);
  }

  #spec({ id, slot, config }: PooledMachine, image: Image): Parameters<LifecycleDeps['driver']['start']>[0] {
    const { settings, disks, network } = this.#deps;
    return {
      spriteId: id,
      incarnation: 1,
      hostname: undefined,
      slot,
      diskFile: disks.file(id),
      imageFile: image.file,
      imageDigest: image.digest,
      limits: {
        cpus: config.cpus,
        memoryBytes: config.ram_mb * 1024 * 1024,
        maxProcesses: settings.maxProcesses,
      },
      environment: {},
      resolvConf: network.resolvConf(),
    };
  }

  #hold(machine: PooledMachine): void {
    const { driver, lifecycle, log } = this.#deps;
    const held = { machine, left: new AbortController() };
    this.#held.push(held);
    lifecycle.inBackground('watching a machine of the pool', async () => {
      const signal = AbortSignal.any([this.#closing.signal, held.left.signal]);
      await driver.exited(machine.id, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (signal.aborted) return;
      log.warn({ machine: machine.id }, 'a machine of the pool ended by itself');
      await this.#discard(({ id }) => id === machine.id);
    });
  }

  async #discard(isUnwanted: (machine: PooledMachine) => boolean): Promise<void> {
    const unwanted = this.#held.filter(({ machine }) => isUnwanted(machine));
    for (const held of unwanted) {
      // somebody may have taken it while the one before was ended
      const index = this.#held.indexOf(held);
      if (index === -1) continue;
      this.#held.splice(index, 1);
      held.left.abort(new Error('the machine is ended'));
      await this.#end(held.machine);
    }
  }

  /** In this order: a slot is free when nothing uses it any more. */
  async #end({ id, slot }: PooledRecord): Promise<void> {
    const { driver, network, disks, store } = this.#deps;
    await driver.stop(id);
    await network.unplug(slot);
    await disks.remove(id);
    await store.removePooled(id);
  }
}

import { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type {
  ByteReader,
  Driver,
  Isolation,
  MachineName,
  MachineSpec,
  PlugTarget,
  PortTarget,
  RunningMachine,
} from '@sprites/core';

/** What a start of a machine in memory does. */
export type StartPlan =
  | { readonly type: 'boot' }
  | { readonly type: 'hang' }
  | { readonly type: 'fail'; readonly error: Error };

type Machine = Omit<RunningMachine, 'frozen'> & {
  frozen: boolean;
  /** undefined while it is a machine of the pool */
  hostname: string | undefined;
  readonly streams: Set<Duplex>;
  readonly ended: PromiseWithResolvers<void>;
};

/** Machines that are nothing but an entry in a map, for tests of what stands above the driver. */
export class MemoryDriver implements Driver<Duplex> {
  readonly isolation: Isolation = 'emulated';
  readonly canName = true;
  /** calls in order, e.g. `start sprite_1` */
  readonly log: string[] = [];
  readonly #machines = new Map<string, Machine>();
  readonly #plans: StartPlan[] = [];

  /** Plans the next start that has no plan yet; starts without one boot. */
  planStart(plan: StartPlan): void {
    this.#plans.push(plan);
  }

  /** Ends a machine as if its first process had died. */
  die(spriteId: string): void {
    const machine = this.#machines.get(spriteId);
    this.#machines.delete(spriteId);
    for (const stream of machine?.streams ?? []) stream.destroy();
    machine?.ended.resolve();
  }

  async start(
    spec: MachineSpec,
    plug: (target: PlugTarget) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    this.log.push(`start ${spec.spriteId}`);
    signal.throwIfAborted();
    if (this.#machines.has(spec.spriteId)) {
      throw new SpriteError('unavailable', `sprite ${spec.spriteId} has a running machine already`);
    }
    const plan = this.#plans.shift() ?? { type: 'boot' };
    if (plan.type === 'fail') throw plan.error;
    if (plan.type === 'hang') await aborted(signal);
    await plug({ type: 'pid', pid: 1 });
    signal.throwIfAborted();
    const { spriteId, incarnation } = spec;
    const machine = {
      spriteId,
      incarnation,
      frozen: false,
      hostname: spec.hostname,
      streams: new Set<Duplex>(),
      ended: Promise.withResolvers<void>(),
    };
    this.#machines.set(spriteId, machine);
  }

  async name({ spriteId, hostname }: MachineName): Promise<void> {
    this.log.push(`name ${spriteId} ${hostname}`);
    const machine = this.#machines.get(spriteId);
    if (machine === undefined || machine.hostname !== undefined) {
      throw new SpriteError('unavailable', `${spriteId} has no running machine without a name`);
    }
    machine.hostname = hostname;
  }

  /** what each machine sees as its network policy */
  readonly policies = new Map<string, string>();

  /** limits set while a machine ran, in bytes */
  readonly memoryLimits = new Map<string, number>();

  async limitMemory(spriteId: string, bytes: number): Promise<boolean> {
    if (this.#machines.has(spriteId)) this.memoryLimits.set(spriteId, bytes);
    return true;
  }

  async publishPolicy(spriteId: string, text: string): Promise<void> {
    this.policies.set(spriteId, text);
  }

  async stop(spriteId: string): Promise<void> {
    this.log.push(`stop ${spriteId}`);
    this.die(spriteId);
  }

  async freeze(spriteId: string, signal: AbortSignal): Promise<void> {
    this.log.push(`freeze ${spriteId}`);
    signal.throwIfAborted();
    this.#running(spriteId).frozen = true;
  }

  async thaw(spriteId: string): Promise<void> {
    this.log.push(`thaw ${spriteId}`);
    this.#running(spriteId).frozen = false;
  }

  async reclaim(spriteId: string): Promise<void> {
    this.log.push(`reclaim ${spriteId}`);
  }

  async list(): Promise<readonly RunningMachine[]> {
    return [...this.#machines.values()].map(({ spriteId, incarnation, frozen }) => ({
      spriteId,
      incarnation,
      frozen,
    }));
  }

  async repair(): Promise<void> {
    this.log.push('repair');
    for (const { spriteId, hostname } of [...this.#machines.values()])
      if (hostname === undefined) this.die(spriteId);
  }

  async quiesce<T>(spriteId: string, work: () => Promise<T>): Promise<T> {
    this.log.push(`quiesce ${spriteId}`);
    return work();
  }

  /** The stream gives back what is written to it. */
  async dial(spriteId: string, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const machine = this.#machines.get(spriteId);
    if (machine === undefined) {
      throw new SpriteError('agent_unreachable', `sprite ${spriteId} has no running machine`);
    }
    return this.#open(machine);
  }

  /** As `dial`, whatever the port. */
  async connect(spriteId: string, { reader }: PortTarget, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const machine = this.#machines.get(spriteId);
    if (machine === undefined)
      throw new SpriteError('port_unreachable', `sprite ${spriteId} has no running machine`);
    return this.#open(machine, reader);
  }

  #open(machine: Machine, reader?: ByteReader): Duplex {
    const stream = createEcho(reader);
    machine.streams.add(stream);
    stream.once('close', () => machine.streams.delete(stream));
    return stream;
  }

  async exited(spriteId: string, signal: AbortSignal): Promise<void> {
    const machine = this.#machines.get(spriteId);
    if (machine !== undefined) await Promise.race([machine.ended.promise, aborted(signal)]);
  }

  #running(spriteId: string): Machine {
    const machine = this.#machines.get(spriteId);
    if (machine !== undefined) return machine;
    throw new SpriteError('unavailable', `sprite ${spriteId} has no running machine`);
  }
}

function createEcho(reader: ByteReader | undefined): Duplex {
  return new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (reader === undefined) this.push(chunk);
      else give(reader, chunk);
      done();
    },
    final(done) {
      this.push(null);
      done();
    },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function give({ memory, take }: ByteReader, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    const target = memory();
    const length = bytes.copy(target, 0, at);
    take(length);
    at += length;
  }
}

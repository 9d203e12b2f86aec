import { SpriteError } from '@sprites/contract';
import { Cgroup, type CgroupLayout } from '@sprites/linux';
import type { MachineDir } from './run-dir.ts';

/** Longest time the programs of a machine may take to stand still, in `ms`; those that wait for a disk do not. */
const freezeTimeoutMs = 2000;

/** Stops the programs of one machine where they are. */
export class Freezer {
  readonly #cgroup: Cgroup;
  readonly #spriteId: string;

  constructor(cgroups: CgroupLayout, machine: MachineDir) {
    this.#cgroup = new Cgroup(cgroups, machine.cgroup);
    this.#spriteId = machine.spriteId;
  }

  async freeze(signal: AbortSignal): Promise<void> {
    const overdue = AbortSignal.timeout(freezeTimeoutMs);
    try {
      await this.#cgroup.freeze(AbortSignal.any([signal, overdue]));
    } catch (cause) {
      signal.throwIfAborted();
      if (!overdue.aborted) throw cause;
      const message = `the programs of sprite ${this.#spriteId} did not stand still within ${freezeTimeoutMs} ms`;
      throw new SpriteError('unavailable', message, { cause });
    }
  }

  /** Nothing is asked before, as somebody waits for it. Throws `unavailable` when there is nothing that can go on. */
  thaw(): void {
    if (this.#cgroup.thaw()) return;
    throw new SpriteError('unavailable', `sprite ${this.#spriteId} has no running machine`);
  }

  async isFrozen(): Promise<boolean> {
    return (await this.#cgroup.frozen()) === 'yes';
  }

  /** A server that died in the middle of a freeze left some programs standing and others not. */
  async repair(): Promise<void> {
    if ((await this.#cgroup.frozen()) === 'half') this.#cgroup.thaw();
  }
}

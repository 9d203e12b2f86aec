import type { PlugTarget } from './driver.ts';

/** Gives each machine an address of its own and keeps it from everything it must not reach. */
export interface Network {
  /** Content of the sprite's /etc/resolv.conf. */
  resolvConf(): string;
  /** Puts the interface of `slot` into the target, replacing a leftover of that slot. */
  plug(slot: number, target: PlugTarget): Promise<void>;
  /** Removes interface and rules of `slot`, if any. */
  unplug(slot: number): Promise<void>;
  /** Removes everything of slots that are not in `slots`. */
  repair(slots: ReadonlySet<number>): Promise<void>;
  /** Slots this network has addresses for are 0 … capacity-1. */
  readonly capacity: number;
}

import type { EgressVerdict, NetworkPolicy } from '@sprites/contract';
import type { PlugTarget } from './driver.ts';

/** Whose a slot is, and what it may reach. */
export type Tenant = { readonly spriteId: string; readonly policy: NetworkPolicy };

/** What became of a name or address that a sprite with a network policy asked for. */
export type EgressDecision = {
  readonly spriteId: string;
  readonly name: string | undefined;
  readonly verdict: EgressVerdict;
  readonly addresses: readonly string[];
};

/** What went to and came from addresses, of the present machine, and what was refused. */
export type Traffic = {
  readonly sentBytes: ReadonlyMap<string, number>;
  readonly receivedBytes: ReadonlyMap<string, number>;
  /** addresses that no name led to, as `address protocol/port` */
  readonly refused: readonly { readonly target: string; readonly packets: number; readonly agoMs: number }[];
};

/** How many questions a sprite asked since the server started, and their volume. */
export type DnsVolume = {
  readonly queries: number;
  /** refused because there were too many in a second */
  readonly limited: number;
  readonly queryBytes: number;
  readonly answerBytes: number;
};

/** Gives each machine an address of its own and keeps it from everything it must not reach. */
export interface Network {
  /** Content of the sprite's /etc/resolv.conf. */
  resolvConf(): string;
  /** Puts the interface of `slot` into the target, replacing a leftover of that slot, with the tenant's policy in force. */
  plug(slot: number, target: PlugTarget, tenant: Tenant): Promise<void>;
  /**
   * Puts another policy in force on a slot that is plugged, and ends connections that it does not allow; nothing happens
   * when the slot is not plugged.
   */
  restrict(slot: number, policy: NetworkPolicy): Promise<void>;
  /** Removes interface and rules of `slot`, if any. */
  unplug(slot: number): Promise<void>;
  /** Removes everything of slots that are not named, and makes the policies of those that are hold. */
  repair(tenants: ReadonlyMap<number, Tenant>): Promise<void>;
  /** Sets who is told of each decision; the function must not throw and must not wait. */
  observe(onDecision: (decision: EgressDecision) => void): void;
  /** What the machine at this slot sent, received and was refused, as far as it is counted. */
  traffic(slot: number): Promise<Traffic>;
  /** The questions asked from this slot. */
  dnsVolume(slot: number): DnsVolume;
  /** Slots this network has addresses for are 0 … capacity-1. */
  readonly capacity: number;
}

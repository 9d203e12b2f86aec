import type { EgressDecision, Tenant } from '@sprites/core';
import { parseAddress } from '../address.ts';
import type { AddressPlan } from '../plan.ts';
import { SlotEgress } from './slot-egress.ts';

export type EgressTableOptions = {
  readonly plan: AddressPlan;
  /** what a sprite without rules may reach */
  readonly byDefault: 'allow' | 'deny';
  /** questions of one sprite per second; twice as many at once */
  readonly queriesPerSecond: number;
  /** least time for which an address is good, in `ms` */
  readonly leastMs: number;
};

/** What each plugged slot may reach. */
export class EgressTable {
  readonly #options: EgressTableOptions;
  readonly #slots = new Map<number, SlotEgress>();
  /** told of each decision about a sprite with a policy; it must not throw */
  onDecision: (decision: EgressDecision) => void = () => undefined;

  constructor(options: EgressTableOptions) {
    this.#options = options;
  }

  get(slot: number): SlotEgress | undefined {
    return this.#slots.get(slot);
  }

  /** The slot of a sprite's address, where one is plugged. */
  find(address: string): { readonly slot: number; readonly egress: SlotEgress } | undefined {
    const slot = (parseAddress(address) ?? 0) - this.#options.plan.range.base - 2;
    const egress = this.#slots.get(slot);
    return egress === undefined ? undefined : { slot, egress };
  }

  /** Begins anew with the slot. */
  set(slot: number, tenant: Tenant): SlotEgress {
    const { plan: _, ...options } = this.#options;
    const egress = new SlotEgress({ ...options, slot, tenant, nowMs: performance.now() });
    this.#slots.set(slot, egress);
    return egress;
  }

  delete(slot: number): void {
    this.#slots.delete(slot);
  }

  clear(): void {
    this.#slots.clear();
  }
}

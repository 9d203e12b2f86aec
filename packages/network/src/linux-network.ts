import { SpriteError } from '@sprites/contract';
import type { Network, PlugTarget } from '@sprites/core';
import { releaseRange } from './claim.ts';
import type { DnsProxy } from './dns/proxy.ts';
import type { Firewall } from './firewall.ts';
import { restoreForwarding } from './forwarding.ts';
import type { Links } from './links.ts';
import type { AddressPlan } from './plan.ts';

type Parts = {
  readonly plan: AddressPlan;
  readonly firewall: Firewall;
  readonly links: Links;
  readonly dns: DnsProxy;
};

/** The network of one server on a Linux host; see `openNetwork`. */
export class LinuxNetwork implements Network {
  readonly capacity: number;
  readonly #plan: AddressPlan;
  readonly #firewall: Firewall;
  readonly #links: Links;
  readonly #dns: DnsProxy;

  constructor({ plan, firewall, links, dns }: Parts) {
    this.capacity = plan.capacity;
    this.#plan = plan;
    this.#firewall = firewall;
    this.#links = links;
    this.#dns = dns;
  }

  resolvConf(): string {
    return `nameserver ${this.#plan.gateway}\noptions timeout:3 attempts:2\n`;
  }

  async plug(slot: number, target: PlugTarget): Promise<void> {
    this.#check(slot);
    try {
      await Promise.all([this.#firewall.add(slot), this.#link(slot, target.pid)]);
    } catch (error) {
      await this.unplug(slot);
      throw error;
    }
  }

  async unplug(slot: number): Promise<void> {
    this.#check(slot);
    await Promise.all([this.#firewall.remove(slot), this.#links.remove([slot])]);
  }

  /** Also rebuilds the rules of the slots that stay, without cutting a connection. Not to be called while a plug is under way. */
  async repair(slots: ReadonlySet<number>): Promise<void> {
    const present = await this.#links.list();
    await this.#firewall.replace(present.filter((slot) => slots.has(slot)));
    await this.#links.remove(present.filter((slot) => !slots.has(slot)));
  }

  /** Ends the DNS proxy and helpers of this process. Interfaces and rules stay for the machines that go on running. */
  async close(): Promise<void> {
    await this.#dns.close();
    this.#firewall.close();
    this.#links.close();
  }

  /** Removes everything of this server from the host, and closes. */
  async release(): Promise<void> {
    await this.#dns.close();
    await this.#links.remove(await this.#links.list());
    await removeFromHost(this.#plan, this.#firewall);
    this.#firewall.close();
    this.#links.close();
  }

  async #link(slot: number, pid: number): Promise<void> {
    try {
      await this.#links.create(slot, pid);
    } catch {
      // A machine that ended a moment ago, or a server that was killed, may have left the interface: once more without it.
      await this.#links.remove([slot]);
      await this.#links.create(slot, pid);
    }
  }

  #check(slot: number): void {
    if (Number.isInteger(slot) && slot >= 0 && slot < this.capacity) return;
    throw new SpriteError(
      'unavailable',
      `slot ${slot} is outside of the ${this.capacity} addresses of SPRITES_NETWORK; choose a larger range`,
    );
  }
}

/** Takes away what `openNetwork` does to the host, once no interface is left. */
export async function removeFromHost(plan: AddressPlan, firewall: Firewall): Promise<void> {
  await firewall.destroy();
  await releaseRange(plan);
  await restoreForwarding();
}

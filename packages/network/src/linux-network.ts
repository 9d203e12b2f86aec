import { type NetworkPolicy, SpriteError } from '@sprites/contract';
import type { DnsVolume, EgressDecision, Network, PlugTarget, Tenant, Traffic } from '@sprites/core';
import { listNftSet } from '@sprites/linux';
import { releaseRange } from './claim.ts';
import type { DnsProxy } from './dns/proxy.ts';
import type { NameJournal } from './egress/name-journal.ts';
import type { EgressTable } from './egress/table.ts';
import type { Firewall } from './firewall.ts';
import { restoreForwarding } from './forwarding.ts';
import { readKernelState } from './kernel-state.ts';
import type { Links } from './links.ts';
import type { AddressPlan } from './plan.ts';
import { slotNames } from './slot-chains.ts';

type Parts = {
  readonly plan: AddressPlan;
  readonly firewall: Firewall;
  readonly links: Links;
  readonly dns: DnsProxy;
  readonly table: EgressTable;
  readonly journal: NameJournal;
};

const refusedForS = 3600;

/** The network of one server on a Linux host; see `openNetwork`. */
export class LinuxNetwork implements Network {
  readonly capacity: number;
  readonly #plan: AddressPlan;
  readonly #firewall: Firewall;
  readonly #links: Links;
  readonly #dns: DnsProxy;
  readonly #table: EgressTable;
  readonly #journal: NameJournal;

  constructor({ plan, firewall, links, dns, table, journal }: Parts) {
    this.capacity = plan.capacity;
    this.#plan = plan;
    this.#firewall = firewall;
    this.#links = links;
    this.#dns = dns;
    this.#table = table;
    this.#journal = journal;
  }

  resolvConf(): string {
    return `nameserver ${this.#plan.gateway}\noptions timeout:3 attempts:2\n`;
  }

  async plug(slot: number, target: PlugTarget, tenant: Tenant): Promise<void> {
    this.#check(slot);
    const egress = this.#table.set(slot, tenant);
    try {
      await Promise.all([
        egress.inTurn(() => this.#firewall.set(slot)),
        this.#link(slot, target.pid),
        this.#journal.remove(tenant.spriteId),
      ]);
    } catch (error) {
      await this.unplug(slot);
      throw error;
    }
  }

  async restrict(slot: number, policy: NetworkPolicy): Promise<void> {
    const egress = this.#table.get(slot);
    await egress?.inTurn(async () => {
      egress.replace(policy);
      await this.#firewall.set(slot);
    });
  }

  async unplug(slot: number): Promise<void> {
    this.#check(slot);
    const egress = this.#table.get(slot);
    this.#table.delete(slot);
    // what is being learnt ends before anybody else can have the slot
    await egress?.inTurn(() => this.#journal.remove(egress.spriteId));
    await Promise.all([this.#firewall.remove(slot), this.#links.remove([slot])]);
  }

  /** Also rebuilds the rules of the slots that stay, without cutting a connection. Not to be called while a plug is under way. */
  async repair(tenants: ReadonlyMap<number, Tenant>): Promise<void> {
    const present = await this.#links.list();
    const state = await readKernelState(this.#plan.table);
    this.#table.clear();
    for (const slot of present) {
      const tenant = tenants.get(slot);
      if (tenant === undefined) continue;
      const egress = this.#table.set(slot, tenant);
      const left = state.get(slot);
      const now = performance.now();
      egress.recall(await this.#journal.read(tenant.spriteId), left?.learnt ?? [], now);
      const { mode, fingerprint } = egress.rules(0);
      // another policy, which a dying server replaced only in its store, goes by the names alone
      if (mode !== 'restricted' || left?.fingerprint !== fingerprint) continue;
      egress.inherit(left.learnt, left.flows, now);
    }
    await this.#journal.retain(new Set([...tenants.values()].map(({ spriteId }) => spriteId)));
    await this.#firewall.replace(present.filter((slot) => tenants.has(slot)));
    await this.#links.remove(present.filter((slot) => !tenants.has(slot)));
  }

  observe(onDecision: (decision: EgressDecision) => void): void {
    this.#table.onDecision = onDecision;
  }

  async traffic(slot: number): Promise<Traffic> {
    const none = { sentBytes: new Map(), receivedBytes: new Map(), refused: [] };
    const mode = this.#table.get(slot)?.mode ?? 'open';
    if (mode === 'open') return none;
    const { sets } = slotNames(slot);
    const names = [sets.sent, sets.received, sets.refused];
    const [sent = [], received = [], refused = []] = await Promise.all(
      names.map((name) => listNftSet(this.#plan.table, name)),
    );
    return {
      sentBytes: new Map(sent.map(({ key, bytes }) => [key, bytes])),
      receivedBytes: new Map(received.map(({ key, bytes }) => [key, bytes])),
      refused: refused.map(({ key, packets, leftS }) => {
        const [address, protocol, port] = key.split(' ');
        return { target: `${address} ${protocol}/${port}`, packets, agoMs: (refusedForS - leftS) * 1000 };
      }),
    };
  }

  dnsVolume(slot: number): DnsVolume {
    return this.#table.get(slot)?.volume ?? { queries: 0, limited: 0, queryBytes: 0, answerBytes: 0 };
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
    await this.#journal.destroy();
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

import { open } from 'node:fs/promises';
import { constants } from 'node:os';
import {
  addAddress,
  addCable,
  deleteLink,
  inNetns,
  interfaceIndex,
  listLinkNames,
  Netlink,
  NetlinkError,
  netnsPath,
  putDefaultRoute,
  putHostRoute,
  putNeighbour,
  setNetSysctls,
  setUp,
  setUpWithoutNeighbours,
} from '@sprites/linux';
import { type AddressPlan, slotAddress, slotDevice, slotOfDevice } from './plan.ts';

/**
 * Kernel values of a sprite's network. Multipath TCP is off because few peers speak it and its listeners cannot be
 * moved; ports below 1024 and ping need no privilege inside, as nothing else lives there.
 */
const sysctls = {
  'mptcp/enabled': '0',
  'ipv4/ip_unprivileged_port_start': '0',
  'ipv4/ping_group_range': '0 2147483647',
  'ipv6/conf/default/disable_ipv6': '1',
  'ipv6/conf/eth0/disable_ipv6': '1',
};

/** Interfaces of one server's sprites. Close it when the server ends; the interfaces stay. */
export class Links {
  readonly #plan: AddressPlan;
  readonly #host = new Netlink();
  // Removing takes the kernel 20 ms, which must not hold up a sprite that starts.
  readonly #removing = new Netlink();

  constructor(plan: AddressPlan) {
    this.#plan = plan;
  }

  /** Slots that have an interface of this server on the host. */
  async list(signal?: AbortSignal): Promise<readonly number[]> {
    const names = await listLinkNames(signal);
    return names.flatMap((name) => slotOfDevice(this.#plan, name) ?? []);
  }

  /**
   * Makes the slot's pair of interfaces: one end on the host, the other as `eth0` in the network namespace of the process.
   * Neighbours are written down on both ends, so no ARP is needed and a sprite cannot answer for others.
   */
  async create(slot: number, pid: number): Promise<void> {
    const { gateway } = this.#plan;
    const name = slotDevice(this.#plan, slot);
    const address = slotAddress(this.#plan, slot);
    const near = { name, mac: macAddress('72', slot) };
    const far = { name: 'eth0', mac: macAddress('73', slot) };
    const netns = await open(netnsPath(pid));
    try {
      await this.#host.request([addCable(near, far, netns.fd), setUpWithoutNeighbours(name)]);
      const index = interfaceIndex(name);
      const inside = enter(netns.fd);
      try {
        await Promise.all([
          this.#host.request([putNeighbour(index, address, far.mac), putHostRoute(index, address, gateway)]),
          inside.netlink.request([
            setUp('lo'),
            setUp('eth0'),
            addAddress(inside.index, address),
            putNeighbour(inside.index, gateway, near.mac),
            putDefaultRoute(inside.index, gateway),
          ]),
        ]);
      } finally {
        inside.netlink.close();
      }
    } finally {
      await netns.close();
    }
  }

  /** Removes the interfaces of these slots, where they exist; their other ends go with them. */
  async remove(slots: readonly number[]): Promise<void> {
    for (const slot of slots) {
      try {
        await this.#removing.request([deleteLink(slotDevice(this.#plan, slot))]);
      } catch (error) {
        if (!(error instanceof NetlinkError) || error.errno !== constants.errno.ENODEV) throw error;
      }
    }
  }

  close(): void {
    this.#host.close();
    this.#removing.close();
  }
}

/** Sets the namespace's kernel values and opens what is needed to configure it from outside. */
function enter(netnsFd: number): { readonly netlink: Netlink; readonly index: number } {
  return inNetns(netnsFd, () => {
    setNetSysctls(sysctls);
    return { index: interfaceIndex('eth0'), netlink: new Netlink() };
  });
}

/** A locally administered address: `02:73:<side>` and the slot. */
function macAddress(side: string, slot: number): string {
  const digits = slot.toString(16).padStart(6, '0');
  return `02:73:${side}:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`;
}

import { ipBatch, ipBatchForce, listLinkNames, netnsPath, setUpNetns } from '@sprites/linux';
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

/** Slots that have an interface of this server on the host. */
export async function listSlots(plan: AddressPlan, signal?: AbortSignal): Promise<readonly number[]> {
  const names = await listLinkNames(signal);
  return names.flatMap((name) => slotOfDevice(plan, name) ?? []);
}

/**
 * Makes the slot's pair of interfaces: one end on the host, the other as `eth0` in the network namespace of the process.
 * Neighbours are written down on both ends, so no ARP is needed and a sprite cannot answer for others.
 */
export async function createLink(plan: AddressPlan, slot: number, pid: number): Promise<void> {
  const device = slotDevice(plan, slot);
  const address = slotAddress(plan, slot);
  const host = macAddress('72', slot);
  const sprite = macAddress('73', slot);
  await ipBatch([
    `link add ${device} address ${host} type veth peer name eth0 address ${sprite} netns ${netnsPath(pid)}`,
    `link set ${device} addrgenmode none`,
    `link set ${device} up`,
    `neigh replace ${address} lladdr ${sprite} dev ${device} nud permanent`,
    `route replace ${address}/32 dev ${device} src ${plan.gateway}`,
  ]);
  await setUpNetns(pid, {
    sysctls,
    batch: [
      'link set lo up',
      `addr add ${address}/32 dev eth0`,
      'link set eth0 up',
      `neigh replace ${plan.gateway} lladdr ${host} dev eth0 nud permanent`,
      `route add default via ${plan.gateway} dev eth0 onlink`,
    ],
  });
}

/** Removes the interfaces of these slots, where they exist; their other ends go with them. */
export async function removeLinks(plan: AddressPlan, slots: readonly number[]): Promise<void> {
  await ipBatchForce(slots.map((slot) => `link del ${slotDevice(plan, slot)}`));
}

/** A locally administered address: `02:73:<side>` and the slot. */
function macAddress(side: string, slot: number): string {
  const digits = slot.toString(16).padStart(6, '0');
  return `02:73:${side}:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`;
}

import { SpriteError } from '@sprites/contract';
import { type Cidr, contains, formatAddress, formatCidr, parseCidr, size } from './address.ts';

/** Blocks a sprites range may be taken from: those that no public address is in. */
const privateBlocks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/** More slots than there are ranges of user ids would be of no use. */
const maxCapacity = 65_000;

const longestPrefix = 28;

/** Every name and address this server uses on the host, derived from its range and its own name. */
export type AddressPlan = {
  readonly range: Cidr;
  readonly capacity: number;
  /** address of the host towards sprites, and of the DNS proxy */
  readonly gateway: string;
  /** nft table, family inet */
  readonly table: string;
  /** what the names of this server's interfaces begin with; a slot number follows */
  readonly devicePrefix: string;
  /** label of the gateway address, by which a server knows its own again */
  readonly label: string;
};

/** Derives the plan, or throws `invalid_request` when the range cannot be used by any server. */
export function planAddresses(range: string, instance: string): AddressPlan {
  if (!/^[0-9a-f]{8}$/.test(instance))
    throw new Error(`instance ${instance} is not eight hexadecimal digits`);
  const cidr = parseRange(range);
  return {
    range: cidr,
    // The first address is the network's, the second the gateway's, the last one stays free as the broadcast address.
    capacity: Math.min(size(cidr) - 3, maxCapacity),
    gateway: formatAddress(cidr.base + 1),
    table: `sprites_${instance}`,
    devicePrefix: `sp${instance}`,
    label: `lo:s${instance}`,
  };
}

export function slotAddress(plan: AddressPlan, slot: number): string {
  return formatAddress(plan.range.base + 2 + slot);
}

/** Name of the slot's interface on the host: at most 15 characters. */
export function slotDevice(plan: AddressPlan, slot: number): string {
  return `${plan.devicePrefix}${slot}`;
}

/** The slot whose interface has this name, or undefined when it is not one of ours. */
export function slotOfDevice(plan: AddressPlan, device: string): number | undefined {
  if (!device.startsWith(plan.devicePrefix)) return undefined;
  const digits = device.slice(plan.devicePrefix.length);
  return /^(0|[1-9][0-9]{0,4})$/.test(digits) ? Number(digits) : undefined;
}

function parseRange(range: string): Cidr {
  const cidr = parseCidr(range);
  if (cidr === undefined) {
    throw new SpriteError(
      'invalid_request',
      `SPRITES_NETWORK ${range} is not a range of IPv4 addresses; write it as network/length, e.g. 10.88.0.0/16`,
    );
  }
  if (!privateBlocks.some((block) => isInside(block, cidr))) {
    throw new SpriteError(
      'invalid_request',
      `SPRITES_NETWORK ${formatCidr(cidr)} is not private; choose a range inside ${privateBlocks.join(', ')}`,
    );
  }
  if (cidr.prefixLength > longestPrefix) {
    throw new SpriteError(
      'invalid_request',
      `SPRITES_NETWORK ${formatCidr(cidr)} is too small; a length of at most ${longestPrefix} is needed, /16 is usual`,
    );
  }
  return cidr;
}

function isInside(block: string, cidr: Cidr): boolean {
  const outer = parseCidr(block);
  return outer !== undefined && contains(outer, cidr);
}

import { type Cidr, contains, parseAddress, parseCidr } from './address.ts';

/** Addresses that are not on the public internet: private, shared, link-local (metadata), loopback, multicast, reserved. */
export const blocked: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
];

const blockedCidrs = blocked.flatMap((text) => parseCidr(text) ?? []);

/** Whether sprites are kept from this address whatever their policy, unless the operator opened it. */
export function isBlocked(address: string, allow: readonly Cidr[]): boolean {
  const base = parseAddress(address);
  if (base === undefined) return true;
  const single = { base, prefixLength: 32 };
  return blockedCidrs.some((cidr) => contains(cidr, single)) && !allow.some((cidr) => contains(cidr, single));
}

import { SpriteError } from '@sprites/contract';
import {
  type HostAddress,
  type HostRoute,
  ipBatch,
  ipBatchForce,
  listHostAddresses,
  listHostRoutes,
} from '@sprites/linux';
import { type Cidr, formatAddress, formatCidr, overlaps, parseAddress, parseCidr, size } from './address.ts';
import type { AddressPlan } from './plan.ts';

/** Routing protocol number by which sprites servers know each other's range routes. */
const protocol = '83';

/** Routes wider than this stand for "everything", like the default route. */
const widestOwned = 8;

/**
 * Takes the range for this server: the gateway address on the loopback interface, and a route that makes addresses of
 * no sprite unreachable instead of sending them out. Throws `invalid_request` when anything of the range is in use.
 */
export async function claimRange(plan: AddressPlan, signal: AbortSignal): Promise<void> {
  const range = formatCidr(plan.range);
  const [addresses, routes] = await Promise.all([listHostAddresses(signal), listHostRoutes(range, signal)]);
  const mine = addresses.filter((each) => each.device === 'lo' && each.label === plan.label);
  const claimed = mine.some((each) => each.address === plan.gateway);
  refuseCollision(plan, claimed, addresses, routes);
  await ipBatchForce(leftovers(mine.filter((each) => each.address !== plan.gateway)), signal);
  const lines = ['link set lo up'];
  if (!claimed) lines.push(`addr add ${plan.gateway}/32 dev lo scope host label ${plan.label}`);
  if (!routes.some((each) => isOwnRangeRoute(plan, claimed, each))) {
    lines.push(`route add unreachable ${range} proto ${protocol}`);
  }
  await ipBatch(lines, signal);
}

/** Gives the range back. */
export async function releaseRange(plan: AddressPlan): Promise<void> {
  await ipBatchForce([
    `route del unreachable ${formatCidr(plan.range)} proto ${protocol}`,
    `addr del ${plan.gateway}/32 dev lo`,
  ]);
}

function refuseCollision(
  plan: AddressPlan,
  claimed: boolean,
  addresses: readonly HostAddress[],
  routes: readonly HostRoute[],
): void {
  const others = addresses.filter((each) => !(each.device === 'lo' && each.label === plan.label));
  for (const { address, prefixLength, device } of others) {
    const network = networkOf(address, prefixLength);
    if (network !== undefined && overlaps(network, plan.range)) {
      refuse(plan, `the address ${address}/${prefixLength} of ${device}`, [
        ...addresses.map(toNetwork),
        network,
      ]);
    }
  }
  for (const route of routes) {
    if (isOwn(plan, claimed, route) || isHarmless(route)) continue;
    const network = parseCidr(route.destination);
    if (network === undefined || !overlaps(network, plan.range)) continue;
    const owner = route.protocol === protocol ? ' of another sprites server' : '';
    const device = route.device === undefined ? '' : ` of ${route.device}`;
    refuse(plan, `the route ${route.destination}${device}${owner}`, [...addresses.map(toNetwork), network]);
  }
}

function refuse(plan: AddressPlan, what: string, taken: readonly (Cidr | undefined)[]): never {
  const range = formatCidr(plan.range);
  throw new SpriteError(
    'invalid_request',
    `SPRITES_NETWORK ${range} collides with ${what}; choose a private range that the host does not use, e.g. ${suggest(taken)}`,
  );
}

function suggest(taken: readonly (Cidr | undefined)[]): string {
  const candidates = Array.from({ length: 100 }, (_, index) => parseCidr(`10.${88 + index}.0.0/16`));
  const free = candidates.find(
    (candidate) =>
      candidate !== undefined && !taken.some((each) => each !== undefined && overlaps(each, candidate)),
  );
  return free === undefined ? 'one inside 172.16.0.0/12' : formatCidr(free);
}

function isOwn(plan: AddressPlan, claimed: boolean, route: HostRoute): boolean {
  if (route.device?.startsWith(plan.devicePrefix)) return true;
  if (route.type === 'local' && route.device === 'lo' && route.destination === plan.gateway) return claimed;
  return isOwnRangeRoute(plan, claimed, route);
}

/** The range's own route has no device to tell whose it is; the labelled gateway address beside it does. */
function isOwnRangeRoute(plan: AddressPlan, claimed: boolean, route: HostRoute): boolean {
  return claimed && route.protocol === protocol && route.destination === formatCidr(plan.range);
}

function isHarmless(route: HostRoute): boolean {
  if (route.destination === 'default') return true;
  const rejects = ['unreachable', 'blackhole', 'prohibit', 'throw'].includes(route.type);
  if (rejects && route.protocol !== protocol) return true;
  const network = parseCidr(route.destination);
  return network === undefined || network.prefixLength < widestOwned;
}

/** Removes the claim of an earlier run of this server that had another range. */
function leftovers(mine: readonly HostAddress[]): readonly string[] {
  return mine.flatMap(({ address }) => {
    const gateway = parseAddress(address);
    if (gateway === undefined) return [];
    const ranges = [];
    for (let prefixLength = widestOwned; prefixLength <= 28; prefixLength += 1) {
      const cidr = { base: gateway - 1, prefixLength };
      if (cidr.base % size(cidr) === 0) ranges.push(formatCidr(cidr));
    }
    return [
      ...ranges.map((range) => `route del unreachable ${range} proto ${protocol}`),
      `addr del ${address}/32 dev lo`,
    ];
  });
}

function toNetwork(address: HostAddress): Cidr | undefined {
  return networkOf(address.address, address.prefixLength);
}

function networkOf(address: string, prefixLength: number): Cidr | undefined {
  const value = parseAddress(address);
  if (value === undefined || !Number.isInteger(prefixLength)) return undefined;
  const blockSize = size({ base: 0, prefixLength });
  return parseCidr(`${formatAddress(value - (value % blockSize))}/${prefixLength}`);
}

import { SpriteError } from '@sprites/contract';
import { listBaseChains } from '@sprites/linux';
import { type Cidr, parseCidr } from './address.ts';
import { claimRange } from './claim.ts';
import { DnsGuard } from './dns/guard.ts';
import { DnsProxy } from './dns/proxy.ts';
import { Resolver } from './dns/resolver.ts';
import { openUpstreams } from './dns/upstreams.ts';
import { NameJournal } from './egress/name-journal.ts';
import type { SlotRules } from './egress/slot-egress.ts';
import { EgressTable } from './egress/table.ts';
import { Firewall } from './firewall.ts';
import { enableForwarding } from './forwarding.ts';
import { Links } from './links.ts';
import { LinuxNetwork, removeFromHost } from './linux-network.ts';
import type { Log } from './log.ts';
import { type AddressPlan, planAddresses } from './plan.ts';

export type NetworkOptions = {
  /** addresses for sprites, as a private CIDR of length 8 to 28, e.g. `10.88.0.0/16` */
  readonly range: string;
  /** eight hexadecimal digits that no other server of this host has */
  readonly instance: string;
  /** directory of this server for what the next process has to know of running machines; made when it is not there */
  readonly stateDir: string;
  /** name servers as `address` or `address:port`; those of the host's /etc/resolv.conf by default */
  readonly upstreams?: readonly string[] | undefined;
  /** private addresses and CIDRs that sprites may reach all the same; a host's own address only when named alone */
  readonly allow?: readonly string[] | undefined;
  /** what a sprite without rules may reach; anything public by default */
  readonly byDefault?: 'allow' | 'deny';
  /** DNS questions of one sprite per second, with twice as many at once; 200 by default */
  readonly queriesPerSecond?: number;
  /** least time for which an address of a DNS answer can be reached, in `ms`; a minute by default */
  readonly leastMs?: number;
  /** aborts the opening */
  readonly signal: AbortSignal;
  readonly log: Log;
};

/**
 * Takes the range on this host, puts the rules in place and starts the DNS proxy. Interfaces that an earlier run of this
 * server left keep working meanwhile. Close it with `close`; `release` also removes it from the host.
 * Throws `invalid_request` when the range collides with an address or route of the host.
 */
export async function openNetwork(options: NetworkOptions): Promise<LinuxNetwork> {
  const { range, instance, signal, log } = options;
  const plan = planAddresses(range, instance);
  const allow = parseAllow(options.allow ?? []);
  const upstreams = openUpstreams(options.upstreams);
  await claimRange(plan, signal);
  const { byDefault = 'allow', queriesPerSecond = 200, leastMs = 60_000 } = options;
  const table = new EgressTable({ plan, byDefault, queriesPerSecond, leastMs });
  const rulesOf = (slot: number): SlotRules | undefined => table.get(slot)?.rules(performance.now());
  const firewall = new Firewall({ plan, allow }, rulesOf, log);
  const links = new Links(plan);
  const slots = await links.list(signal);
  try {
    await enableForwarding(signal);
    await firewall.open(slots);
    await firewall.watch();
    await warnOfOtherFirewalls(plan, signal, log);
    const resolver = new Resolver({ upstreams });
    const journal = await NameJournal.open(options.stateDir, log);
    const guard = new DnsGuard({
      resolver,
      table,
      allow,
      learn: (slot, noted) => firewall.learn(slot, noted),
      keep: (egress, { names }) => journal.append(egress.spriteId, names, () => egress.names()),
    });
    const dns = await DnsProxy.open({ gateway: plan.gateway, range: plan.range, guard, resolver, log });
    return new LinuxNetwork({ plan, firewall, links, dns, table, journal });
  } catch (error) {
    // Machines of an earlier run need what is there; without them, nothing may stay behind.
    if (slots.length === 0) await removeFromHost(plan, firewall);
    firewall.close();
    links.close();
    throw error;
  }
}

function parseAllow(list: readonly string[]): readonly Cidr[] {
  return list.map((each) => {
    const cidr = parseCidr(each);
    if (cidr !== undefined) return cidr;
    throw new SpriteError(
      'invalid_request',
      `SPRITES_NETWORK_ALLOW ${each} is neither an IPv4 address nor a CIDR such as 192.168.7.0/24`,
    );
  });
}

/** A packet must pass every firewall of the host, and an accept here cannot overrule a drop there. */
async function warnOfOtherFirewalls(plan: AddressPlan, signal: AbortSignal, log: Log): Promise<void> {
  const chains = await listBaseChains(signal);
  for (const { family, table, name, hook, policy } of chains) {
    if (policy !== 'drop' || !['input', 'forward'].includes(hook) || family === 'ip6') continue;
    const rules = (hook === 'input' ? ['iifname'] : ['iifname', 'oifname']).map(
      (side) => `nft insert rule ${family} ${table} ${name} ${side} "${plan.devicePrefix}*" accept`,
    );
    log.warn(
      { chain: `${family} ${table} ${name}`, remedy: rules.join('; ') },
      'another firewall of this host drops packets by default; sprites have no network until it lets them through',
    );
  }
}

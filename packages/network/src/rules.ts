import { type Cidr, formatCidr } from './address.ts';
import type { SlotRules } from './egress/slot-egress.ts';
import { type AddressPlan, slotAddress, slotDevice } from './plan.ts';
import { blocked } from './reach.ts';
import { declareSlot, inboundElement, slotNames, verdictElement } from './slot-chains.ts';

/** What the table of a server is made of. */
export type Ruleset = {
  readonly plan: AddressPlan;
  /** private blocks and addresses the operator opened for sprites */
  readonly allow: readonly Cidr[];
};

/** connections one sprite may hold through the host's connection table */
const connectionsPerSprite = 16_384;

/** DNS packets per second and sprite that reach the proxy */
const dnsPacketsPerSecond = 1000;

/**
 * Pieces of packets per second, of one sprite and of all, with a datagram of 64 KiB at once. The host keeps pieces for 30 s
 * in 4 MiB, the default, which it has only once: these leave half of it to itself.
 */
const fragments = { ofOne: 4, ofAll: 16, burst: 48, burstOfAll: 96 };

/**
 * The whole table as a script that replaces what is there in one transaction. Connections that are open go on: they live
 * in the kernel's connection table, which this does not touch.
 */
export function renderTable(ruleset: Ruleset, slots: Iterable<SlotRules>): string {
  const { plan, allow } = ruleset;
  const all = [...slots];
  const single = allow.filter((cidr) => cidr.prefixLength === 32);
  return `
add table inet ${plan.table}
delete table inet ${plan.table}
table inet ${plan.table} {
  set blocked { type ipv4_addr; flags interval; auto-merge; elements = { ${blocked.join(', ')} }; }
  set allowed { type ipv4_addr; flags interval; auto-merge; ${elements(allow.map(formatCidr))} }
  set allowed_host { type ipv4_addr; flags interval; auto-merge; ${elements(single.map(formatCidr))} }
  set sources { type ifname . ipv4_addr; ${elements(all.map(({ slot }) => sourceElement(plan, slot)))} }
  set fragment_rate { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }
  set dns_rate { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 10s; }
  set connections { type ipv4_addr; size 65535; flags dynamic; }
  chain refuse { reject with icmpx admin-prohibited; }
${all.map(declareSlot).join('\n')}
  map sprites { type ifname : verdict; ${elements(all.map(({ slot }) => verdictElement(plan, slot)))} }
  map inbound_sprites { type ifname : verdict; ${elements(all.flatMap((rules) => inboundElement(plan, rules)))} }
${chains(plan)}
}
`;
}

/** A script that lets the slot's interface in, as one transaction; with `before`, what holds for it is replaced. */
export function setSlotScript(plan: AddressPlan, rules: SlotRules, before: SlotRules | undefined): string {
  const inbound = inboundElement(plan, rules);
  return `
${before === undefined ? '' : removeSlotCommands(plan, before).join('\n')}
table inet ${plan.table} {
${declareSlot(rules)}
}
add element inet ${plan.table} sources { ${sourceElement(plan, rules.slot)} }
add element inet ${plan.table} sprites { ${verdictElement(plan, rules.slot)} }
${inbound.length === 0 ? '' : `add element inet ${plan.table} inbound_sprites { ${inbound.join(', ')} }`}
`;
}

/** Commands that let the interface of a slot in which nothing is restricted, as one transaction. */
export function addOpenSlotCommands(plan: AddressPlan, slot: number): readonly string[] {
  const { table } = plan;
  const { chain } = slotNames(slot);
  return [
    `add chain inet ${table} ${chain}`,
    `flush chain inet ${table} ${chain}`,
    `add rule inet ${table} ${chain} accept`,
    `add element inet ${table} sources { ${sourceElement(plan, slot)} }`,
    `add element inet ${table} sprites { ${verdictElement(plan, slot)} }`,
  ];
}

/** Commands that shut the slot's interface out, as one transaction. */
export function removeSlotCommands(plan: AddressPlan, rules: SlotRules): readonly string[] {
  const { table } = plan;
  const device = slotDevice(plan, rules.slot);
  const { chain, pass, inbound, refuse, marker, sets } = slotNames(rules.slot, rules.fingerprint);
  const base = [
    `delete element inet ${table} sources { ${sourceElement(plan, rules.slot)} }`,
    `delete element inet ${table} sprites { "${device}" }`,
  ];
  if (rules.mode === 'open' || rules.mode === 'closed')
    return [...base, `delete chain inet ${table} ${chain}`];
  const chains = [chain, pass, inbound, refuse, marker];
  return [
    ...base,
    `delete element inet ${table} inbound_sprites { "${device}" }`,
    // first nothing refers to anything any more
    ...chains.map((name) => `flush chain inet ${table} ${name}`),
    ...chains.map((name) => `delete chain inet ${table} ${name}`),
    ...Object.values(sets).map((name) => `delete set inet ${table} ${name}`),
  ];
}

/**
 * From a sprite: only its own source address (IPv6 has none), then to the host's DNS and ping, or through to a public or
 * allowed address by the sprite's own chain. To a sprite: only answers. Messages about errors, which are matched by what they
 * quote, pass only when the quoted connection is the sprite's own: anybody can quote those of the host and of other sprites.
 */
function chains(plan: AddressPlan): string {
  const sprites = `"${plan.devicePrefix}*"`;
  // The first chain comes before the kernel puts fragments together, at -400.
  // DNS is exempt from connection tracking, so that a flood of it cannot fill the host's table.
  return `
  chain arrival {
    type filter hook prerouting priority -450; policy accept;
    iifname ${sprites} goto from_sprite
  }
  chain from_sprite {
    iifname . ip saddr != @sources drop
    meta nfproto != ipv4 drop
    ip frag-off & 0x3fff != 0 goto in_pieces
  }
  chain in_pieces {
    update @fragment_rate { iifname limit rate over ${fragments.ofOne}/second burst ${fragments.burst} packets } drop
    limit rate over ${fragments.ofAll}/second burst ${fragments.burstOfAll} packets drop
  }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname ${sprites} ip daddr ${plan.gateway} meta l4proto { tcp, udp } th dport 53 goto to_dns
  }
  chain to_dns {
    update @dns_rate { ip saddr limit rate over ${dnsPacketsPerSecond}/second burst ${dnsPacketsPerSecond} packets } drop
    notrack
  }
  chain output {
    type filter hook output priority raw; policy accept;
    ip saddr ${plan.gateway} oifname ${sprites} meta l4proto { tcp, udp } th sport 53 notrack
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname ${sprites} goto to_host
  }
  chain to_host {
    ip daddr ${plan.gateway} meta l4proto { tcp, udp } th dport 53 accept
    ip daddr ${plan.gateway} icmp type echo-request accept
    ip daddr @allowed_host iifname vmap @sprites
    iifname . ct original ip daddr @sources ct state established,related accept
    goto refuse
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${sprites} goto outbound
    oifname ${sprites} goto inbound
  }
  chain outbound {
    oifname ${sprites} goto refuse
    ip daddr != @allowed ip daddr @blocked goto refuse
    ct state invalid drop
    ct state related iifname . ct original ip saddr != @sources drop
    ct state new add @connections { ip saddr ct count over ${connectionsPerSprite} } goto refuse
    tcp flags & (syn|rst) == syn tcp option maxseg size set rt mtu
    iifname vmap @sprites
    drop
  }
  chain inbound {
    oifname vmap @inbound_sprites
    ct state established,related accept
    drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${formatCidr(plan.range)} oifname != ${sprites} masquerade fully-random
  }`;
}

function sourceElement(plan: AddressPlan, slot: number): string {
  return `"${slotDevice(plan, slot)}" . ${slotAddress(plan, slot)}`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} };`;
}

import { type Cidr, formatCidr } from './address.ts';
import { type AddressPlan, slotAddress, slotDevice } from './plan.ts';

/** What the table of a server is made of. */
export type Ruleset = {
  readonly plan: AddressPlan;
  /** private blocks and addresses the operator opened for sprites */
  readonly allow: readonly Cidr[];
};

/** Addresses that are not on the public internet: private, shared, link-local (metadata), loopback, multicast, reserved. */
const blocked = [
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

/** connections one sprite may hold through the host's connection table */
const connectionsPerSprite = 16_384;

/** DNS packets per second and sprite that reach the proxy */
const dnsPacketsPerSecond = 1000;

/**
 * The whole table as a script that replaces what is there in one transaction. Connections that are open go on: they live
 * in the kernel's connection table, which this does not touch.
 */
export function renderTable(ruleset: Ruleset, slots: Iterable<number>): string {
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
  set sources { type ifname . ipv4_addr; ${elements(all.map((slot) => sourceElement(plan, slot)))} }
  set dns_rate { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 10s; }
  set connections { type ipv4_addr; size 65535; flags dynamic; }
${all.map((slot) => `  chain ${slotChain(slot)} { accept; }`).join('\n')}
  map sprites { type ifname : verdict; ${elements(all.map((slot) => verdictElement(plan, slot)))} }
${chains(plan)}
}
`;
}

/** Commands that let the slot's interface in, as one transaction. */
export function addSlotCommands(plan: AddressPlan, slot: number): readonly string[] {
  const { table } = plan;
  return [
    `add chain inet ${table} ${slotChain(slot)}`,
    `flush chain inet ${table} ${slotChain(slot)}`,
    `add rule inet ${table} ${slotChain(slot)} accept`,
    `add element inet ${table} sources { ${sourceElement(plan, slot)} }`,
    `add element inet ${table} sprites { ${verdictElement(plan, slot)} }`,
  ];
}

/** Commands that shut the slot's interface out, as one transaction. */
export function removeSlotCommands(plan: AddressPlan, slot: number): readonly string[] {
  const { table } = plan;
  return [
    `delete element inet ${table} sources { ${sourceElement(plan, slot)} }`,
    `delete element inet ${table} sprites { "${slotDevice(plan, slot)}" }`,
    `delete chain inet ${table} ${slotChain(slot)}`,
  ];
}

/**
 * From a sprite: only its own source address (IPv6 has none), then to the host's DNS and ping, or through to a public or
 * allowed address by the sprite's own chain. To a sprite: only answers.
 */
function chains(plan: AddressPlan): string {
  const sprites = `"${plan.devicePrefix}*"`;
  // DNS is exempt from connection tracking, so that a flood of it cannot fill the host's table.
  return `
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname ${sprites} goto from_sprite
  }
  chain from_sprite {
    iifname . ip saddr @sources goto from_known
    drop
  }
  chain from_known {
    ip daddr ${plan.gateway} meta l4proto { tcp, udp } th dport 53 goto to_dns
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
    ct state established,related accept
    ip daddr @allowed_host accept
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
    ct state new add @connections { ip saddr ct count over ${connectionsPerSprite} } goto refuse
    tcp flags & (syn|rst) == syn tcp option maxseg size set rt mtu
    iifname vmap @sprites
    drop
  }
  chain inbound {
    ct state established,related accept
    drop
  }
  chain refuse { reject with icmpx admin-prohibited; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${formatCidr(plan.range)} oifname != ${sprites} masquerade fully-random
  }`;
}

function slotChain(slot: number): string {
  return `sprite_${slot}`;
}

function sourceElement(plan: AddressPlan, slot: number): string {
  return `"${slotDevice(plan, slot)}" . ${slotAddress(plan, slot)}`;
}

function verdictElement(plan: AddressPlan, slot: number): string {
  return `"${slotDevice(plan, slot)}" : jump ${slotChain(slot)}`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} };`;
}

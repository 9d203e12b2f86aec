import type { SlotRules } from './egress/slot-egress.ts';
import { type AddressPlan, slotDevice } from './plan.ts';

/** Names of what the table holds for one slot. */
export type SlotNames = {
  /** chain for packets from the sprite */
  readonly chain: string;
  /** chain that counts and lets through */
  readonly pass: string;
  /** chain for packets to the sprite */
  readonly inbound: string;
  /** chain that notes and refuses what was not learnt */
  readonly refuse: string;
  /** empty chain that says by which policy addresses were learnt */
  readonly marker: string;
  readonly sets: {
    readonly learnt: string;
    readonly flows: string;
    readonly sent: string;
    readonly received: string;
    readonly refused: string;
  };
};

/** most addresses of one sprite in each of its sets; further ones cannot be reached, or are not counted */
const maxLearnt = 16_384;
const maxCounted = 4096;
const maxRefused = 256;

export function slotNames(slot: number, fingerprint = ''): SlotNames {
  return {
    chain: `sprite_${slot}`,
    pass: `pass_${slot}`,
    inbound: `to_sprite_${slot}`,
    refuse: `refuse_${slot}`,
    marker: `policy_${slot}_${fingerprint}`,
    sets: {
      learnt: `learnt_${slot}`,
      flows: `flows_${slot}`,
      sent: `sent_${slot}`,
      received: `received_${slot}`,
      refused: `refused_${slot}`,
    },
  };
}

/** Slot and fingerprint that the name of a marker chain tells. */
export function parseMarker(
  name: string,
): { readonly slot: number; readonly fingerprint: string } | undefined {
  const match = /^policy_(\d{1,5})_([0-9a-f]{8})$/.exec(name);
  return match === null ? undefined : { slot: Number(match[1]), fingerprint: match[2] ?? '' };
}

export function verdictElement(plan: AddressPlan, slot: number): string {
  return `"${slotDevice(plan, slot)}" : jump ${slotNames(slot).chain}`;
}

/** Only where packets to the sprite are looked at. */
export function inboundElement(plan: AddressPlan, { slot, mode }: SlotRules): readonly string[] {
  if (mode === 'open' || mode === 'closed') return [];
  return [`"${slotDevice(plan, slot)}" : jump ${slotNames(slot).inbound}`];
}

/** Sets and chains of a slot, as they stand in a table. */
export function declareSlot(rules: SlotRules): string {
  const { chain } = slotNames(rules.slot);
  switch (rules.mode) {
    case 'open':
      return `  chain ${chain} { accept; }`;
    case 'closed':
      return `  chain ${chain} { goto refuse; }`;
    case 'observed':
      return declareObserved(rules);
    case 'restricted':
      return declareRestricted(rules);
    default:
      return rules.mode satisfies never;
  }
}

function declareObserved({ slot, fingerprint }: SlotRules): string {
  const { chain, pass, inbound, refuse, marker, sets } = slotNames(slot, fingerprint);
  return `${declareSets(slot, [], [])}
  chain ${marker} { }
  chain ${refuse} { goto refuse; }
  chain ${pass} {
    update @${sets.sent} { ip daddr }
    accept
  }
  chain ${chain} { goto ${pass}; }
  chain ${inbound} {
    update @${sets.received} { ip saddr }
    ct state established,related accept
    drop
  }`;
}

/**
 * A connection may be opened to an address while it is learnt. It may go on after that for as long as something passes at
 * least once an hour, and is cut as soon as a new policy takes its address out of both sets.
 */
function declareRestricted({ slot, fingerprint, learnt, flows }: SlotRules): string {
  const { chain, pass, inbound, refuse, marker, sets } = slotNames(slot, fingerprint);
  const timed = learnt.map(({ address, leftMs }) => `${address} timeout ${Math.ceil(leftMs / 1000)}s`);
  return `${declareSets(slot, timed, flows)}
  chain ${marker} { }
  chain ${refuse} {
    meta l4proto tcp ct state established reject with tcp reset
    update @${sets.refused} { ip daddr . meta l4proto . th dport }
    goto refuse
  }
  chain ${pass} {
    update @${sets.sent} { ip daddr }
    accept
  }
  chain ${chain} {
    ct state established,related ip daddr @${sets.flows} update @${sets.flows} { ip daddr } goto ${pass}
    ip daddr != @${sets.learnt} goto ${refuse}
    update @${sets.flows} { ip daddr }
    goto ${pass}
  }
  chain ${inbound} {
    ct state related accept
    ct state established ip saddr @${sets.flows} update @${sets.received} { ip saddr }
    ct state established ip saddr @${sets.flows} accept
    drop
  }`;
}

function declareSets(slot: number, learnt: readonly string[], flows: readonly string[]): string {
  const { sets } = slotNames(slot);
  const counted = `type ipv4_addr; size ${maxCounted}; flags dynamic,timeout; timeout 1d; counter;`;
  return `  set ${sets.learnt} { type ipv4_addr; size ${maxLearnt}; flags timeout; ${elements(learnt)} }
  set ${sets.flows} { type ipv4_addr; size ${maxLearnt}; flags dynamic,timeout; timeout 1h; ${elements(flows)} }
  set ${sets.sent} { ${counted} }
  set ${sets.received} { ${counted} }
  set ${sets.refused} { type ipv4_addr . inet_proto . inet_service; size ${maxRefused}; flags dynamic,timeout; timeout 1h; counter; }`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} };`;
}

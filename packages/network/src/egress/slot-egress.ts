import { createHash } from 'node:crypto';
import type { NetworkPolicy } from '@sprites/contract';
import { compileRules, type DnsVolume, type NameJudge, type Tenant } from '@sprites/core';
import type { AddressRecord } from '../dns/records.ts';
import { AddressBook, type LearntAddress, type LearntName } from './address-book.ts';
import { QueryRate } from './query-rate.ts';

/** How packets of a sprite are treated: `open` passes what is public, `observed` counts it too, `restricted` passes what was learnt. */
export type SlotMode = 'open' | 'observed' | 'restricted';

/** What the firewall has to know of a slot. */
export type SlotRules = {
  readonly slot: number;
  readonly mode: SlotMode | 'closed';
  /** eight hexadecimal digits of the policy by which addresses were learnt */
  readonly fingerprint: string;
  /** addresses to which connections may be opened */
  readonly learnt: readonly LearntAddress[];
  /** addresses to which open connections may go on */
  readonly flows: readonly string[];
};

/** Whether a name may be asked for: `would_deny` is let through. */
export type NameVerdict = 'allow' | 'deny' | 'would_deny';

/** What an answer taught. */
export type Noted = {
  /** addresses that are good for longer now than before */
  readonly learnt: readonly LearntAddress[];
  /** addresses that had to make room for them */
  readonly forgotten: readonly string[];
  /** names that had not led there before */
  readonly names: readonly LearntName[];
};

export type SlotEgressOptions = {
  readonly slot: number;
  readonly tenant: Tenant;
  /** what a sprite without rules may reach */
  readonly byDefault: 'allow' | 'deny';
  readonly queriesPerSecond: number;
  /** least time for which an address is good, in `ms` */
  readonly leastMs: number;
  readonly nowMs: number;
};

/** Longest time for which an address is good, in `ms`. */
const mostMs = 86_400_000;

const nothing = { until: new Map<string, number>(), flows: [] };

/** What one sprite may reach: its policy, the addresses it learnt, and how much it asks. */
export class SlotEgress {
  readonly spriteId: string;
  readonly #options: SlotEgressOptions;
  readonly #book = new AddressBook();
  readonly #rate: QueryRate;
  readonly #volume = { queries: 0, limited: 0, queryBytes: 0, answerBytes: 0 };
  #mode: SlotMode = 'open';
  #judge: NameJudge = () => 'allow';
  #fingerprint = '';
  /** what an earlier server process left in the kernel for the same policy, also by names that were forgotten meanwhile */
  #inherited: { readonly until: ReadonlyMap<string, number>; readonly flows: readonly string[] } = nothing;
  /** work of which the next piece waits for the one before, so that nothing is learnt by a policy that is gone */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: SlotEgressOptions) {
    this.spriteId = options.tenant.spriteId;
    this.#options = options;
    this.#rate = new QueryRate(options.queriesPerSecond, options.nowMs);
    this.#use(options.tenant.policy);
  }

  get mode(): SlotMode {
    return this.#mode;
  }

  get volume(): DnsVolume {
    return { ...this.#volume };
  }

  /** Puts another policy in place; what was learnt by names it denies is not part of the rules any more. */
  replace(policy: NetworkPolicy): void {
    this.#inherited = nothing;
    this.#use(policy);
  }

  /** Takes over which names an earlier server process saw, and for how long the kernel still lets their addresses be reached. */
  recall(names: readonly LearntName[], learnt: readonly LearntAddress[], nowMs: number): void {
    const until = untilOf(learnt, nowMs);
    for (const { name, address } of names) this.#book.add(name, address, until.get(address) ?? 0);
  }

  /** Takes over addresses that the kernel holds for the same policy. */
  inherit(learnt: readonly LearntAddress[], flows: readonly string[], nowMs: number): void {
    this.#inherited = { until: untilOf(learnt, nowMs), flows };
  }

  /** All names that led to an address, the oldest first. */
  names(): readonly LearntName[] {
    return this.#book.names();
  }

  judge(name: string | undefined): NameVerdict {
    const action = name === undefined ? 'deny' : this.#judge(name);
    if (this.#mode === 'open' || action === 'allow') return 'allow';
    return this.#mode === 'observed' ? 'would_deny' : 'deny';
  }

  /** Counts a question; false when there were too many lately. */
  admit(bytes: number, nowMs: number): boolean {
    this.#volume.queries += 1;
    this.#volume.queryBytes += bytes;
    if (this.#rate.take(nowMs)) return true;
    this.#volume.limited += 1;
    return false;
  }

  countAnswer(bytes: number): void {
    this.#volume.answerBytes += bytes;
  }

  /** Notes the addresses of an answer. */
  note(name: string, records: readonly AddressRecord[], nowMs: number): Noted {
    const { leastMs } = this.#options;
    // for programs that keep an address a little longer than they may
    const graceMs = leastMs / 2;
    const learnt: LearntAddress[] = [];
    const forgotten: string[] = [];
    const names: LearntName[] = [];
    for (const { address, ttlS } of records) {
      const goodMs = Math.min(Math.max(ttlS * 1000, leastMs) + graceMs, mostMs);
      const before = this.#book.until(address);
      const change = this.#book.add(name, address, nowMs + goodMs);
      if (change.isNew) names.push({ name, address });
      if (change.forgotten !== undefined) forgotten.push(change.forgotten);
      // an answer from a cache counts down, so that it adds nothing; a grace is there to be used up
      if (before < nowMs + goodMs - graceMs / 2) learnt.push({ address, leftMs: goodMs });
    }
    // one of them may have come back by a later record
    return { learnt, names, forgotten: forgotten.filter((address) => this.#book.until(address) === 0) };
  }

  rules(nowMs: number): SlotRules {
    const base = { slot: this.#options.slot, mode: this.#mode, fingerprint: this.#fingerprint };
    if (this.#mode !== 'restricted') return { ...base, learnt: [], flows: [] };
    const allowed = this.#book.allowed(this.#judge, nowMs);
    const { until, flows } = this.#inherited;
    const leftMs = new Map([...until].map(([address, end]) => [address, end - nowMs]));
    for (const one of allowed) leftMs.set(one.address, Math.max(one.leftMs, leftMs.get(one.address) ?? 0));
    return {
      ...base,
      learnt: [...leftMs].flatMap(([address, left]) => (left > 0 ? [{ address, leftMs: left }] : [])),
      flows: [...new Set([...allowed.map(({ address }) => address), ...flows])],
    };
  }

  /** Runs work after what was given before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  #use(policy: NetworkPolicy): void {
    const { byDefault } = this.#options;
    this.#mode = modeOf(policy, byDefault);
    const isFree = policy.rules.length === 0 && byDefault === 'allow';
    this.#judge = isFree ? () => 'allow' : compileRules(policy.rules);
    const text = JSON.stringify([policy.rules, this.#mode]);
    this.#fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 8);
  }
}

function untilOf(learnt: readonly LearntAddress[], nowMs: number): ReadonlyMap<string, number> {
  return new Map(learnt.map(({ address, leftMs }) => [address, nowMs + leftMs]));
}

/** Without rules nothing is restricted, unless the operator wants it so. */
function modeOf({ rules, mode }: NetworkPolicy, byDefault: 'allow' | 'deny'): SlotMode {
  if (mode === 'observe') return 'observed';
  return rules.length === 0 && byDefault === 'allow' ? 'open' : 'restricted';
}

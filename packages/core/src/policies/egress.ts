import type { EgressLog as EgressAnswer, EgressEntry, NetworkPolicy } from '@sprites/contract';
import type { SpriteKey } from '../checkpoints/deps.ts';
import type { Traffic } from '../ports/network.ts';
import type { EgressRecord } from '../ports/store.ts';
import type { SpriteDeps } from '../sprites/deps.ts';
import { getSprite } from '../sprites/get.ts';
import { defaultDomains } from './default-domains.ts';
import type { EgressLog } from './egress-log.ts';
import { compileRules, normalizeName } from './name-judge.ts';

export type EgressDeps = SpriteDeps & { readonly egressLog: EgressLog };

/** What a sprite with a network policy asked for, with what its present machine sent and received. Never wakes it. */
export async function readEgress(deps: EgressDeps, input: SpriteKey): Promise<EgressAnswer> {
  const sprite = await getSprite(deps, input);
  const [records, traffic] = await Promise.all([
    deps.egressLog.read(sprite.id),
    deps.network.traffic(sprite.slot),
  ]);
  const now = deps.clock.now();
  const entries = [
    ...records.map((record) => toEntry(record, traffic)),
    ...unnamed(records, traffic, now),
    ...refused(traffic, now),
  ];
  const { queries, limited, queryBytes, answerBytes } = deps.network.dnsVolume(sprite.slot);
  return {
    entries: entries.toSorted((a, b) => (a.time < b.time ? 1 : -1)),
    dns: { queries, limited, query_bytes: queryBytes, answer_bytes: answerBytes },
  };
}

/**
 * Rules that allow every name a sprite was seen to reach, one by one; with `defaults`, those that the preset list covers by
 * an include. Never wakes it.
 */
export async function suggestNetworkPolicy(
  deps: EgressDeps,
  input: SpriteKey & { readonly defaults: boolean },
): Promise<NetworkPolicy> {
  const sprite = await getSprite(deps, input);
  const records = await deps.egressLog.read(sprite.id);
  const reached = records.filter(
    ({ verdict, addresses }) => (verdict === 'allow' || verdict === 'would_deny') && addresses.length > 0,
  );
  const names = new Set(
    reached.flatMap(({ name }) => (name === undefined ? [] : (normalizeName(name) ?? []))),
  );
  const preset = compileRules(defaultDomains.map((domain) => ({ domain, action: 'allow' })));
  const isCovered = (name: string): boolean => input.defaults && preset(name) === 'allow';
  const own = [...names].filter((name) => !isCovered(name)).toSorted();
  return {
    rules: [
      ...([...names].some(isCovered) ? [{ include: 'defaults' as const }] : []),
      ...own.map((domain) => ({ domain, action: 'allow' as const })),
    ],
  };
}

function toEntry(record: EgressRecord, { sentBytes, receivedBytes }: Traffic): EgressEntry {
  return {
    time: new Date(record.lastAt).toISOString(),
    first_time: new Date(record.firstAt).toISOString(),
    name: record.name ?? null,
    addresses: [...record.addresses],
    verdict: record.verdict,
    count: record.count,
    bytes_sent: sum(record.addresses, sentBytes),
    bytes_received: sum(record.addresses, receivedBytes),
  };
}

/** Addresses that packets went to without a name that led there: only an observed sprite may do that. */
function unnamed(
  records: readonly EgressRecord[],
  { sentBytes, receivedBytes }: Traffic,
  nowMs: number,
): readonly EgressEntry[] {
  const named = new Set(records.flatMap(({ addresses }) => addresses));
  const time = new Date(nowMs).toISOString();
  return [...sentBytes.keys()]
    .filter((address) => !named.has(address))
    .map((address) => ({
      time,
      first_time: time,
      name: null,
      addresses: [address],
      verdict: 'would_deny',
      count: 1,
      bytes_sent: sentBytes.get(address) ?? null,
      bytes_received: receivedBytes.get(address) ?? null,
    }));
}

function refused({ refused: all }: Traffic, nowMs: number): readonly EgressEntry[] {
  return all.map(({ target, packets, agoMs }) => {
    const time = new Date(nowMs - agoMs).toISOString();
    return {
      time,
      first_time: time,
      name: null,
      addresses: [target],
      verdict: 'deny',
      count: packets,
      bytes_sent: null,
      bytes_received: null,
    };
  });
}

/** Undefined bytes are not none: they were not counted. */
function sum(addresses: readonly string[], bytes: ReadonlyMap<string, number>): number | null {
  const counted = addresses.flatMap((address) => bytes.get(address) ?? []);
  return counted.length === 0 ? null : counted.reduce((total, one) => total + one, 0);
}

import type { EgressVerdict } from '@sprites/contract';
import type { Cidr } from '../address.ts';
import type { Noted, SlotEgress } from '../egress/slot-egress.ts';
import type { EgressTable } from '../egress/table.ts';
import { isBlocked } from '../reach.ts';
import { emptyAnswer, type ParsedQuery, type Query, recordType, refusal, responseCode } from './message.ts';
import { type AddressRecord, readAddresses } from './records.ts';
import type { Resolver, Transport } from './resolver.ts';

export type DnsGuardOptions = {
  readonly resolver: Resolver;
  readonly table: EgressTable;
  /** private addresses that sprites may reach all the same */
  readonly allow: readonly Cidr[];
  /** opens the addresses of an answer to a slot in the firewall */
  readonly learn: (slot: number, noted: Noted) => Promise<void>;
  /** keeps the names of an answer for the next server process; never rejects */
  readonly keep: (egress: SlotEgress, noted: Noted) => Promise<void>;
};

/**
 * Holds each sprite's questions against its policy. An answer leaves only after its addresses can be reached, so that the
 * connection that follows does not come too early.
 */
export class DnsGuard {
  readonly #options: DnsGuardOptions;

  constructor(options: DnsGuardOptions) {
    this.#options = options;
  }

  /** The answer for a client, or undefined when it shall get none. Never rejects. */
  async answer(client: string, parsed: ParsedQuery, transport: Transport): Promise<Uint8Array | undefined> {
    const found = this.#options.table.find(client);
    if (found === undefined || parsed.type === 'ignore') return undefined;
    const { slot, egress } = found;
    if (!egress.admit(parsed.bytes.length, performance.now())) return this.#tooMany(egress, parsed);
    const answer =
      parsed.type === 'refuse'
        ? refusal(parsed.bytes, parsed.code)
        : await this.#judged(slot, egress, { client, query: parsed, transport });
    if (answer !== undefined) egress.countAnswer(answer.length);
    return answer;
  }

  async #judged(slot: number, egress: SlotEgress, asked: Asked): Promise<Uint8Array | undefined> {
    const { client, query, transport } = asked;
    if (this.#verdict(egress, query) === 'deny') return this.#deny(egress, query);
    // These may carry addresses of their own, which programs would try before they ask for them.
    const hasHints = query.recordType === recordType.svcb || query.recordType === recordType.https;
    if (hasHints && egress.mode === 'restricted') return emptyAnswer(query);
    const answer = await this.#options.resolver.answer(client, query, transport);
    if (answer === undefined) return undefined;
    const records = readAddresses(query, answer);
    try {
      return await egress.inTurn(() => this.#learn(slot, egress, { query, answer, records }));
    } catch {
      // The firewall cannot be changed, which is logged there: without its rule the address is of no use.
      return emptyAnswer(query, responseCode.serverFailure);
    }
  }

  /** In turn with changes of the policy, which may have come while the name servers were asked. */
  async #learn(
    slot: number,
    egress: SlotEgress,
    { query, answer, records }: Answered,
  ): Promise<Uint8Array | undefined> {
    // The machine ended meanwhile, and another sprite may have its slot.
    if (this.#options.table.get(slot) !== egress) return undefined;
    const verdict = this.#verdict(egress, query);
    if (verdict === 'deny') return this.#deny(egress, query);
    const isRestricted = egress.mode === 'restricted';
    if (records === undefined) return isRestricted ? emptyAnswer(query, responseCode.serverFailure) : answer;
    const addresses = records.map(({ address }) => address);
    if (isRestricted && addresses.some((address) => isBlocked(address, this.#options.allow))) {
      this.#tell(egress, query, 'private', addresses);
      return emptyAnswer(query, responseCode.refused);
    }
    // Only a plain name may count later: one with a dot within a label looks like another, which may be allowed.
    if (query.isPlain) {
      const noted = egress.note(query.name, records, performance.now());
      if (isRestricted) await this.#options.learn(slot, noted);
      await this.#options.keep(egress, noted);
    }
    this.#tell(egress, query, verdict, addresses);
    return answer;
  }

  #verdict(egress: SlotEgress, query: Query): 'allow' | 'deny' | 'would_deny' {
    // A dot within a label would make the name look like one it is not.
    return egress.judge(query.isPlain || query.name === '' ? query.name : undefined);
  }

  #deny(egress: SlotEgress, query: Query): Uint8Array {
    this.#tell(egress, query, 'deny');
    return emptyAnswer(query, responseCode.refused);
  }

  #tooMany(egress: SlotEgress, parsed: Exclude<ParsedQuery, { type: 'ignore' }>): Uint8Array {
    if (parsed.type === 'refuse') return refusal(parsed.bytes, responseCode.refused);
    this.#tell(egress, parsed, 'limited');
    return emptyAnswer(parsed, responseCode.refused);
  }

  #tell(egress: SlotEgress, query: Query, verdict: EgressVerdict, addresses: readonly string[] = []): void {
    if (egress.mode === 'open') return;
    this.#options.table.onDecision({
      spriteId: egress.spriteId,
      name: printable(query.name),
      verdict,
      addresses,
    });
  }
}

type Asked = { readonly client: string; readonly query: Query; readonly transport: Transport };
type Answered = {
  readonly query: Query;
  readonly answer: Uint8Array;
  readonly records: readonly AddressRecord[] | undefined;
};

/** The name with bytes that no host name has written as `\ddd`, as in zone files. */
function printable(name: string): string {
  const text = name.replaceAll(/[^a-z0-9._*-]/g, (one) => `\\${String(one.charCodeAt(0)).padStart(3, '0')}`);
  return text === '' ? '.' : text;
}

import { type Exchange, exchangeTcp, exchangeUdp } from './exchange.ts';
import {
  codeOf,
  emptyAnswer,
  type ParsedQuery,
  type Query,
  recordType,
  refusal,
  responseCode,
} from './message.ts';
import type { Upstreams } from './upstreams.ts';

export type Transport = 'udp' | 'tcp';

export type ResolverOptions = {
  readonly upstreams: Upstreams;
  /** how long one name server is given, in `ms` */
  readonly attemptMs?: number;
  /** most queries of one sprite under way */
  readonly perClient?: number;
  /** most queries under way */
  readonly total?: number;
};

/** Answers parsed queries by asking the host's name servers, within bounds per client and in all. */
export class Resolver {
  readonly #upstreams: Upstreams;
  readonly #attemptMs: number;
  readonly #perClient: number;
  readonly #total: number;
  readonly #busy = new Map<string, number>();
  readonly #closing = new AbortController();
  #busyTotal = 0;
  #preferred = 0;

  constructor({ upstreams, attemptMs = 2000, perClient = 128, total = 2048 }: ResolverOptions) {
    this.#upstreams = upstreams;
    this.#attemptMs = attemptMs;
    this.#perClient = perClient;
    this.#total = total;
  }

  /** The answer for a client, or undefined when it shall get none. Never rejects. */
  async answer(client: string, parsed: ParsedQuery, transport: Transport): Promise<Uint8Array | undefined> {
    if (parsed.type === 'ignore') return undefined;
    if (parsed.type === 'refuse') return refusal(parsed.bytes, parsed.code);
    // IPv6 does not leave a sprite: saying so at once spares programs a connection that cannot work.
    if (parsed.recordType === recordType.aaaa) return emptyAnswer(parsed);
    const busy = this.#busy.get(client) ?? 0;
    if (busy >= this.#perClient || this.#busyTotal >= this.#total)
      return emptyAnswer(parsed, responseCode.refused);
    this.#busy.set(client, busy + 1);
    this.#busyTotal += 1;
    try {
      return await this.#ask(parsed, transport === 'udp' ? exchangeUdp : exchangeTcp);
    } finally {
      this.#busyTotal -= 1;
      const left = (this.#busy.get(client) ?? 1) - 1;
      if (left === 0) this.#busy.delete(client);
      else this.#busy.set(client, left);
    }
  }

  /** Ends what is under way; nobody is answered any more. */
  close(): void {
    this.#closing.abort(new Error('resolver closed'));
  }

  /** Asks the name servers in turn, beginning with the one that answered last, until one has an answer worth passing on. */
  async #ask(query: Query, exchange: Exchange): Promise<Uint8Array | undefined> {
    const upstreams = await this.#upstreams();
    let worse: Uint8Array | undefined;
    for (let turn = 0; turn < upstreams.length; turn += 1) {
      const index = (this.#preferred + turn) % upstreams.length;
      const upstream = upstreams[index];
      if (upstream === undefined) continue;
      try {
        const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#attemptMs)]);
        const answer = await exchange(upstream, query, signal);
        const code = codeOf(answer);
        if (code !== responseCode.serverFailure && code !== responseCode.refused) {
          this.#preferred = index;
          return answer;
        }
        worse = answer;
      } catch {
        // Silent, unreachable or gone: the next one may do better.
        if (this.#closing.signal.aborted) return undefined;
      }
    }
    return worse ?? emptyAnswer(query, responseCode.serverFailure);
  }
}

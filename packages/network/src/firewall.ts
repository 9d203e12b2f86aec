import { listInetTables, loadNft, Nft, NftElements, watchNftTable } from '@sprites/linux';
import type { Noted, SlotRules } from './egress/slot-egress.ts';
import type { Log } from './log.ts';
import {
  addOpenSlotCommands,
  type Ruleset,
  removeSlotCommands,
  renderTable,
  setSlotScript,
} from './rules.ts';
import { slotNames } from './slot-chains.ts';

/** Tells the rules of a slot as they are at the moment; addresses are learnt all the time. */
export type RulesOf = (slot: number) => SlotRules | undefined;

/** Keeps the server's nft table in step with the slots in use. Changes are applied one after the other. */
export class Firewall {
  readonly #ruleset: Ruleset;
  readonly #log: Log;
  readonly #rulesOf: RulesOf;
  readonly #nft = new Nft();
  readonly #elements = new NftElements();
  /** what the kernel has for each slot */
  readonly #slots = new Map<number, SlotRules>();
  #endWatch: () => void = () => undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ruleset: Ruleset, rulesOf: RulesOf, log: Log) {
    this.#ruleset = ruleset;
    this.#rulesOf = rulesOf;
    this.#log = log;
  }

  /** Puts the table back when somebody else deletes it, as a restart of the host's own firewall does. */
  async watch(): Promise<void> {
    const { table } = this.#ruleset.plan;
    const gone = (): void => void this.#restore();
    const ended = (): void =>
      this.#log.warn({ table }, 'no longer watching the nft table; restart the server');
    this.#endWatch = await watchNftTable(table, gone, ended);
  }

  /**
   * Takes the table of an earlier server process as it is, until `replace`; where there is none, the slots are shut. No rule
   * is loosened before the policies are known.
   */
  open(slots: Iterable<number>): Promise<void> {
    return this.#queue(async () => {
      const closed = [...slots].map((slot) => closedSlot(slot));
      for (const rules of closed) this.#slots.set(rules.slot, rules);
      const isThere = (await listInetTables()).includes(this.#ruleset.plan.table);
      if (closed.length === 0 || !isThere) await this.#load();
    });
  }

  /** Replaces the table by one for exactly these slots, with the rules they have at that moment. */
  replace(slots: Iterable<number>): Promise<void> {
    return this.#queue(() => {
      this.#slots.clear();
      for (const slot of slots) this.#slots.set(slot, closedSlot(slot));
      return this.#load();
    });
  }

  /** Lets the slot in, or puts its present rules in place of those it has. */
  set(slot: number): Promise<void> {
    return this.#queue(async () => {
      const rules = this.#rulesOf(slot);
      if (rules === undefined) return;
      const before = this.#slots.get(slot);
      if (before?.mode === 'open' && rules.mode === 'open') return;
      this.#slots.set(slot, rules);
      const { plan } = this.#ruleset;
      if (before === undefined && rules.mode === 'open') await this.#change(addOpenSlotCommands(plan, slot));
      else await this.#script(setSlotScript(plan, rules, before));
    });
  }

  /** Opens addresses to a restricted slot for the time given, at once, and closes those that were forgotten. */
  async learn(slot: number, { learnt, forgotten }: Pick<Noted, 'learnt' | 'forgotten'>): Promise<void> {
    const { table } = this.#ruleset.plan;
    const timed = learnt.map(({ address, leftMs }) => ({ address, timeoutMs: leftMs }));
    try {
      await this.#elements.put(table, slotNames(slot).sets.learnt, timed, forgotten);
    } catch (error) {
      this.#log.warn({ err: error, slot }, 'rebuilding the nft table after an address could not be added');
      await this.#queue(() => this.#load());
    }
  }

  remove(slot: number): Promise<void> {
    return this.#queue(async () => {
      const before = this.#slots.get(slot);
      if (before === undefined) return;
      this.#slots.delete(slot);
      await this.#change(removeSlotCommands(this.#ruleset.plan, before));
    });
  }

  /** Takes the table away. */
  destroy(): Promise<void> {
    const { table } = this.#ruleset.plan;
    this.#endWatch();
    return this.#queue(() => loadNft(`add table inet ${table}\ndelete table inet ${table}\n`));
  }

  /** Ends what helps this process; the rules stay. */
  close(): void {
    this.#endWatch();
    this.#nft.close();
    this.#elements.close();
  }

  async #restore(): Promise<void> {
    const { table } = this.#ruleset.plan;
    try {
      await this.#queue(async () => {
        // Replacing the table is also seen as a deletion; then it is there.
        if ((await listInetTables()).includes(table)) return;
        this.#log.warn({ table }, 'putting back the nft table that somebody deleted');
        await this.#load();
      });
    } catch (error) {
      this.#log.warn(
        { err: error, table },
        'the nft table is gone and cannot be put back; restart the server',
      );
    }
  }

  #change(commands: readonly string[]): Promise<void> {
    return this.#orRebuild(() => this.#nft.change(commands));
  }

  #script(script: string): Promise<void> {
    return this.#orRebuild(() => loadNft(script));
  }

  async #orRebuild(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      // The helper died, or somebody else changed the table: what it should be is known, so make it that.
      this.#log.warn({ err: error }, 'rebuilding the nft table after a change failed');
      await this.#load();
    }
  }

  async #load(): Promise<void> {
    for (const slot of this.#slots.keys()) this.#slots.set(slot, this.#rulesOf(slot) ?? closedSlot(slot));
    await loadNft(renderTable(this.#ruleset, this.#slots.values()));
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}

function closedSlot(slot: number): SlotRules {
  return { slot, mode: 'closed', fingerprint: '', learnt: [], flows: [] };
}

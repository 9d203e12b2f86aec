import { loadNft, Nft } from '@sprites/linux';
import type { Log } from './log.ts';
import { addSlotCommands, type Ruleset, removeSlotCommands, renderTable } from './rules.ts';

/** Keeps the server's nft table in step with the slots in use. Changes are applied one after the other. */
export class Firewall {
  readonly #ruleset: Ruleset;
  readonly #log: Log;
  readonly #nft = new Nft();
  readonly #slots = new Set<number>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ruleset: Ruleset, log: Log) {
    this.#ruleset = ruleset;
    this.#log = log;
  }

  /** Replaces the table by one for exactly these slots. */
  replace(slots: Iterable<number>): Promise<void> {
    return this.#queue(() => {
      this.#slots.clear();
      for (const slot of slots) this.#slots.add(slot);
      return this.#load();
    });
  }

  add(slot: number): Promise<void> {
    return this.#queue(async () => {
      if (this.#slots.has(slot)) return;
      this.#slots.add(slot);
      await this.#change(addSlotCommands(this.#ruleset.plan, slot));
    });
  }

  remove(slot: number): Promise<void> {
    return this.#queue(async () => {
      if (!this.#slots.delete(slot)) return;
      await this.#change(removeSlotCommands(this.#ruleset.plan, slot));
    });
  }

  /** Takes the table away. */
  destroy(): Promise<void> {
    const { table } = this.#ruleset.plan;
    return this.#queue(() => loadNft(`add table inet ${table}\ndelete table inet ${table}\n`));
  }

  /** Ends what helps this process; the rules stay. */
  close(): void {
    this.#nft.close();
  }

  async #change(commands: readonly string[]): Promise<void> {
    try {
      await this.#nft.change(commands);
    } catch (error) {
      // The helper died, or somebody else changed the table: what it should be is known, so make it that.
      this.#log.warn({ err: error }, 'rebuilding the nft table after a change failed');
      await this.#load();
    }
  }

  #load(): Promise<void> {
    return loadNft(renderTable(this.#ruleset, this.#slots));
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}

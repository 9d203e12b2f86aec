import { listInetTables, loadNft, Nft, watchNftTable } from '@sprites/linux';
import type { Log } from './log.ts';
import { addSlotCommands, type Ruleset, removeSlotCommands, renderTable } from './rules.ts';

/** Keeps the server's nft table in step with the slots in use. Changes are applied one after the other. */
export class Firewall {
  readonly #ruleset: Ruleset;
  readonly #log: Log;
  readonly #nft = new Nft();
  readonly #slots = new Set<number>();
  #endWatch: () => void = () => undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(ruleset: Ruleset, log: Log) {
    this.#ruleset = ruleset;
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
    this.#endWatch();
    return this.#queue(() => loadNft(`add table inet ${table}\ndelete table inet ${table}\n`));
  }

  /** Ends what helps this process; the rules stay. */
  close(): void {
    this.#endWatch();
    this.#nft.close();
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

import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { EgressDecision } from '../ports/network.ts';
import type { EgressRecord, Store } from '../ports/store.ts';

export type EgressLogDeps = {
  readonly store: Pick<Store, 'findEgress' | 'putEgress'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** most records of a sprite, the newest; most addresses of a record */
const mostRecords = 500;
const mostAddresses = 16;
/** how often what was noted is written, in `ms`, and for how many sprites at a time */
const writeIntervalMs = 10_000;
const spritesPerWrite = 64;

type Noted = Map<string, EgressRecord>;

/**
 * What sprites with a network policy asked for: one record for each name and outcome, counted. `note` costs nothing and
 * never fails; records are written a few sprites at a time, so that what a server notes just before it is killed is lost.
 */
export class EgressLog {
  readonly #deps: EgressLogDeps;
  readonly #noted = new Map<string, Noted>();

  constructor(deps: EgressLogDeps) {
    this.#deps = deps;
  }

  note({ spriteId, name, verdict, addresses }: EgressDecision): void {
    const now = this.#deps.clock.now();
    const noted = this.#noted.get(spriteId) ?? new Map<string, EgressRecord>();
    const record = { name, verdict, firstAt: now, lastAt: now, count: 1, addresses };
    add(noted, record);
    if (noted.size > mostRecords) deleteFirst(noted);
    // the sprite that was written longest ago comes first
    this.#noted.set(spriteId, noted);
  }

  /** The records of a sprite, newest first. */
  async read(spriteId: string): Promise<readonly EgressRecord[]> {
    const merged: Noted = new Map();
    for (const record of await this.#deps.store.findEgress(spriteId)) add(merged, record);
    for (const record of this.#noted.get(spriteId)?.values() ?? []) add(merged, record);
    return [...merged.values()].toSorted((a, b) => b.lastAt - a.lastAt).slice(0, mostRecords);
  }

  /** Writes from time to time, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(writeIntervalMs, signal);
      await this.#write(spritesPerWrite);
    }
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    await this.#write(this.#noted.size);
  }

  async #write(most: number): Promise<void> {
    const spriteIds = [...this.#noted.keys()].slice(0, most);
    if (spriteIds.length === 0) return;
    try {
      const logs = new Map<string, readonly EgressRecord[]>();
      for (const spriteId of spriteIds) {
        logs.set(spriteId, await this.read(spriteId));
        this.#noted.delete(spriteId);
      }
      await this.#deps.store.putEgress(logs);
    } catch (error) {
      this.#deps.log.error(
        { err: error, sprites: spriteIds.length },
        'what sprites reached could not be recorded',
      );
    }
  }
}

function add(noted: Noted, record: EgressRecord): void {
  const key = `${record.verdict} ${record.name ?? ''}`;
  const before = noted.get(key);
  noted.delete(key);
  if (before === undefined) {
    noted.set(key, { ...record, addresses: record.addresses.slice(-mostAddresses) });
    return;
  }
  const addresses = [
    ...before.addresses.filter((one) => !record.addresses.includes(one)),
    ...record.addresses,
  ];
  noted.set(key, {
    ...before,
    firstAt: Math.min(before.firstAt, record.firstAt),
    lastAt: Math.max(before.lastAt, record.lastAt),
    count: before.count + record.count,
    addresses: addresses.slice(-mostAddresses),
  });
}

function deleteFirst(noted: Noted): void {
  for (const key of noted.keys()) {
    noted.delete(key);
    return;
  }
}

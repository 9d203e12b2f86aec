import type { NameJudge } from '@sprites/core';

/** An address with the names that led to it, newest last, and until when it was good, in `ms`. */
type Entry = { readonly names: Set<string>; until: number };

/** An address that may be reached for the time that is left. */
export type LearntAddress = { readonly address: string; readonly leftMs: number };

/** A name that led to an address. */
export type LearntName = { readonly name: string; readonly address: string };

/** What a new entry changed. */
export type BookChange = {
  /** true when the name had not led to the address before */
  readonly isNew: boolean;
  /** the address that had to make room */
  readonly forgotten: string | undefined;
};

const maxAddresses = 4096;
const maxNames = 8;

/**
 * Remembers which names led one sprite to which addresses, so that another policy can be held against connections that are
 * open. The newest 4096 addresses and eight names of each are kept; a forgotten one counts as never allowed.
 */
export class AddressBook {
  readonly #entries = new Map<string, Entry>();

  /** Notes that the name led to the address. */
  add(name: string, address: string, until: number): BookChange {
    const entry = this.#entries.get(address) ?? { names: new Set<string>(), until };
    const isNew = !entry.names.delete(name);
    entry.names.add(name);
    if (entry.names.size > maxNames) deleteFirst(entry.names);
    entry.until = Math.max(entry.until, until);
    this.#entries.delete(address);
    this.#entries.set(address, entry);
    const forgotten = this.#entries.size > maxAddresses ? deleteFirst(this.#entries) : undefined;
    return { isNew, forgotten };
  }

  /** Until when the address is good by the answers so far. */
  until(address: string): number {
    return this.#entries.get(address)?.until ?? 0;
  }

  /** The addresses that a name led to which is allowed; `leftMs` is 0 for those whose time is over. */
  allowed(judge: NameJudge, nowMs: number): readonly LearntAddress[] {
    return [...this.#entries].flatMap(([address, { names, until }]) => {
      const isAllowed = [...names].some((name) => judge(name) === 'allow');
      return isAllowed ? [{ address, leftMs: Math.max(0, until - nowMs) }] : [];
    });
  }

  /** All that is remembered, the oldest first. */
  names(): readonly LearntName[] {
    return [...this.#entries].flatMap(([address, { names }]) =>
      [...names].map((name) => ({ name, address })),
    );
  }
}

function deleteFirst<T>(collection: { keys(): Iterable<T>; delete(key: T): unknown }): T | undefined {
  for (const key of collection.keys()) {
    collection.delete(key);
    return key;
  }
  return undefined;
}

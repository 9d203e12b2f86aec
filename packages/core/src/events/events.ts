import { type EventType, mostEvents } from '@sprites/contract';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { EventRecord, Store } from '../ports/store.ts';

/** Something that happened, as it is recorded. */
export type NewEvent = {
  readonly type: EventType;
  /** what happened and why, in words for the user, lower case */
  readonly message: string;
  /** the facts; nothing secret, no host paths */
  readonly details?: EventRecord['details'];
};

export type EventsDeps = {
  readonly store: Pick<Store, 'appendEvents'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Time between an event and its write, in `ms`; a server that is killed loses what happened in it. */
const writeDelayMs = 20;
/** Longest text of an event, in characters: what a sprite says of itself may be part of it. */
const maxTextLength = 500;

/**
 * The history of each sprite. `record` never throws and never waits: events are written behind the caller, in order and
 * many at a time, so that a wake does not wait for them. `close` writes what is left.
 */
export class Events {
  readonly #deps: EventsDeps;
  readonly #listeners = new Map<string, Set<() => void>>();
  #queue: Omit<EventRecord, 'sequence'>[] = [];
  #writing: Promise<void> | undefined;

  constructor(deps: EventsDeps) {
    this.#deps = deps;
  }

  /** Adds an event to the history of a sprite; of one that is gone it is dropped. */
  record(spriteId: string, { type, message, details = {} }: NewEvent): void {
    this.#queue.push({
      spriteId,
      at: new Date(this.#deps.clock.now()).toISOString(),
      type,
      message: cut(message),
      details: Object.fromEntries(
        Object.entries(details).map(([key, value]) => [key, typeof value === 'string' ? cut(value) : value]),
      ),
    });
    this.#writing ??= this.#write();
  }

  /** Calls the listener after new events of the sprite were written; the returned function ends it. It must not throw. */
  subscribe(spriteId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(spriteId) ?? new Set();
    this.#listeners.set(spriteId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(spriteId) === listeners)
        this.#listeners.delete(spriteId);
    };
  }

  /** Resolves when everything recorded so far is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // a write holds up everything else, and what is recorded often precedes an answer that somebody waits for
    await this.#deps.clock.sleep(writeDelayMs);
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#deps.store.appendEvents(batch, mostEvents);
      } catch (error) {
        this.#deps.log.error({ err: error, events: batch.length }, 'events could not be recorded');
      }
      for (const spriteId of new Set(batch.map((event) => event.spriteId))) {
        for (const listener of this.#listeners.get(spriteId) ?? []) listener();
      }
    }
    this.#writing = undefined;
  }
}

function cut(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}…`;
}

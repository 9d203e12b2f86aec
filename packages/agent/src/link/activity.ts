import { type Activity, type Hold, mostHolds } from '@sprites/contract/link';
import type { SessionTable } from '../sessions/session-table.ts';

/** Time between two looks at whether live sessions did something, in `ms`. */
const lookEveryMs = 2000;

/** Knows what keeps the sprite awake: its sessions, and whatever parts of the agent say so. */
export class ActivityBoard {
  readonly #sessions: SessionTable;
  readonly #sources: (() => readonly Hold[])[] = [];
  #listener: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #toldMs = 0;

  constructor(sessions: SessionTable) {
    this.#sessions = sessions;
    sessions.onChange(() => this.changed());
  }

  /** Adds a part of the agent that may hold the sprite; it calls `changed` when what it answers has changed. */
  add(source: () => readonly Hold[]): void {
    this.#sources.push(source);
  }

  /** Something holds the sprite now, or no longer. */
  changed(): void {
    this.#listener?.();
    this.#look();
  }

  /** Sets who hears that `read` would answer something new; undefined for nobody. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
    this.#look();
  }

  read(): Activity {
    const sessions = this.#sessions.list().map((session): Hold => {
      const { id, command } = session.toEntry();
      return { kind: 'session', id, label: command.slice(0, 200), lastActiveMs: session.lastActivityMs };
    });
    const holds = [...this.#sources.flatMap((source) => source()), ...sessions];
    this.#toldMs = this.#sessions.lastActivityMs();
    return { holds: holds.slice(0, mostHolds), lastActiveMs: this.#toldMs };
  }

  /** Looks again from time to time for as long as there are sessions: an idle sprite's agent has no timer. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.#listener === undefined || this.#sessions.list().length === 0) return;
    this.#timer = setTimeout(() => {
      if (this.#sessions.lastActivityMs() !== this.#toldMs) this.#listener?.();
      this.#look();
    }, lookEveryMs);
  }
}

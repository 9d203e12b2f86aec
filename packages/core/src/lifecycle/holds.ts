import type { Activity, Hold } from '@sprites/contract/link';
import type { Clock } from '../ports/clock.ts';

/** Something that keeps a sprite awake and that the server sees itself. */
export type HostHold = {
  readonly kind: 'connection' | 'request' | 'operation';
  /** what it is, such as `exec` or `checkpoint` */
  readonly label: string;
};

/** What keeps a sprite awake, as users are told. */
export type HeldBy = {
  readonly kind: HostHold['kind'] | Hold['kind'] | 'unknown';
  readonly label: string;
  /** id of the session, task or service */
  readonly id?: string;
  /** when it ends by itself, in `ms` since the epoch */
  readonly untilMs?: number;
};

/** How busy a sprite is at a moment. */
export type Busyness = {
  readonly heldBy: readonly HeldBy[];
  /** when it last did something, in `ms` since the epoch; not later than the moment */
  readonly lastActiveMs: number;
};

/** How long a sprite is kept awake after its agent did not say whether it is busy, before it is asked again, in `ms`. */
const askAgainMs = 10_000;

type Entry = {
  readonly open: Set<HostHold>;
  lastActiveMs: number;
  /** what the agent said last */
  activity: Activity | undefined;
  /** until when an agent that does not answer keeps its sprite awake */
  silentUntilMs: number;
};

/** Knows of each sprite with a machine what keeps it awake: from the server's own connections and from what agents report. */
export class Holds {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps the sprite awake until the returned function is called, and for the idle window from then on. */
  hold(spriteId: string, hold: HostHold): () => void {
    const entry = this.#entry(spriteId);
    const own = { ...hold };
    entry.open.add(own);
    this.touch(spriteId);
    return () => {
      if (!entry.open.delete(own)) return;
      this.touch(spriteId);
    };
  }

  /** Something happened in or with the sprite, just now or when it is said. */
  touch(spriteId: string, atMs = this.#clock.now()): void {
    this.#entry(spriteId).lastActiveMs = atMs;
  }

  /** Notes what the sprite's agent said; undefined forgets it, as it is old news when the link is over. */
  report(spriteId: string, activity: Activity | undefined): void {
    const entry = this.#entry(spriteId);
    const before = entry.activity;
    entry.activity = activity === undefined ? undefined : bounded(activity, this.#clock.now());
    if (activity === undefined) return;
    entry.silentUntilMs = 0;
    const ended = before?.holds.some(
      (hold) => hold.kind !== 'session' && !activity.holds.some((other) => isSame(hold, other)),
    );
    // the idle window begins when the last hold has ended
    if (ended === true) this.touch(spriteId);
  }

  /** Notes that the agent did not say whether it is busy when it was asked. */
  reportSilence(spriteId: string): void {
    this.#entry(spriteId).silentUntilMs = this.#clock.now() + askAgainMs;
  }

  /** Forgets what the ended machine of the sprite was busy with; connections are let go of by those who hold them. */
  machineEnded(spriteId: string): void {
    const entry = this.#entry(spriteId);
    entry.activity = undefined;
    entry.silentUntilMs = 0;
    if (entry.open.size === 0) this.#entries.delete(spriteId);
  }

  /** The sprite is gone for good. */
  forget(spriteId: string): void {
    this.#entries.delete(spriteId);
  }

  /** What keeps the sprite awake now; sessions do for `windowMs` after their last input or output. */
  read(spriteId: string, windowMs: number): Busyness {
    const nowMs = this.#clock.now();
    const { open, lastActiveMs, activity, silentUntilMs } = this.#entry(spriteId);
    const heldBy: HeldBy[] = [...open].map(({ kind, label }) => ({ kind, label }));
    let latestMs = Math.max(lastActiveMs, activity?.lastActiveMs ?? 0);
    for (const hold of activity?.holds ?? []) {
      const { untilMs, activeMs } = spanOf(hold, windowMs);
      if (activeMs <= nowMs) latestMs = Math.max(latestMs, activeMs);
      if (untilMs <= nowMs) continue;
      const { kind, id, label } = hold;
      heldBy.push({ kind, id, label, ...(Number.isFinite(untilMs) ? { untilMs } : {}) });
    }
    if (silentUntilMs > nowMs) heldBy.push({ ...silence, untilMs: silentUntilMs });
    return { heldBy, lastActiveMs: latestMs };
  }

  /** Tasks that the sprite's agent told of and that have not ended; undefined when it has told nothing. */
  tasks(spriteId: string): readonly Hold[] | undefined {
    const nowMs = this.#clock.now();
    const isLive = (hold: Hold): boolean => hold.kind === 'task' && spanOf(hold, 0).untilMs > nowMs;
    return this.#entries.get(spriteId)?.activity?.holds.filter(isLive);
  }

  #entry(spriteId: string): Entry {
    const found = this.#entries.get(spriteId);
    if (found !== undefined) return found;
    const entry: Entry = { open: new Set(), lastActiveMs: 0, activity: undefined, silentUntilMs: 0 };
    this.#entries.set(spriteId, entry);
    return entry;
  }
}

const silence: HeldBy = { kind: 'unknown', label: 'the program inside does not say whether it is busy' };

/** When a hold ends by itself, and the time of which it shows that the sprite was busy then. */
function spanOf(
  { kind, until, lastActiveMs = 0 }: Hold,
  windowMs: number,
): { readonly untilMs: number; readonly activeMs: number } {
  if (kind === 'session') return { untilMs: lastActiveMs + windowMs, activeMs: lastActiveMs };
  const untilMs = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
  return { untilMs, activeMs: untilMs };
}

/** A sprite can say what it likes; it cannot have been busy in the future. */
function bounded({ holds, lastActiveMs }: Activity, nowMs: number): Activity {
  const inPast = (ms: number): number => Math.min(ms, nowMs);
  return {
    holds: holds.map((hold) =>
      hold.lastActiveMs === undefined ? hold : { ...hold, lastActiveMs: inPast(hold.lastActiveMs) },
    ),
    lastActiveMs: inPast(lastActiveMs),
  };
}

function isSame(one: Hold, other: Hold): boolean {
  return one.kind === other.kind && one.id === other.id;
}

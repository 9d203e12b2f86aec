import type { SleepRecord, SpriteRecord, SpriteStatus, WakeRecord } from '../ports/store.ts';
import type { HeldBy } from './holds.ts';
import { idleAt, windowsOf } from './idle.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import type { Machine, Machines } from './machines.ts';

/** What a sprite is doing, and why. */
export type Life = {
  readonly state: SpriteStatus;
  readonly since: string;
  /** what keeps it awake */
  readonly heldBy: readonly HeldBy[];
  /** when it goes one state further if nothing happens: from running to warm, from warm to cold */
  readonly sleepsAt: string | undefined;
  readonly lastWake: WakeRecord | undefined;
  readonly lastSleep: SleepRecord | undefined;
  readonly lastActiveAt: string | undefined;
};

/** Describes a sprite at this moment from what is known of it in memory, and otherwise from its record. */
export function lifeOf(
  { settings }: Pick<LifecycleDeps, 'settings'>,
  machines: Machines,
  sprite: SpriteRecord,
): Life {
  const machine = machines.get(sprite.id);
  // one that stops is shown as its record has it until it has stopped
  if (machine === undefined || machine.state === 'stopping') {
    const {
      status: state,
      lastWake,
      lastSleep,
      lastActiveAt,
      createdAt,
      stateSince: since = createdAt,
    } = sprite;
    return { state, since, heldBy: [], sleepsAt: undefined, lastWake, lastSleep, lastActiveAt };
  }
  const { lastWake, lastSleep } = machine.record;
  const windows = windowsOf(settings, machine.record);
  const isWarm = machine.state === 'warm';
  const busyness = machines.holds.read(sprite.id, windows.warmAfterMs);
  return {
    state: isWarm ? 'warm' : 'running',
    since: new Date(machine.sinceMs).toISOString(),
    heldBy: isWarm ? [] : busyness.heldBy,
    sleepsAt: toTime(coldAt(machine, windows.coldAfterMs) ?? idleAt(busyness, windows)),
    lastWake,
    lastSleep,
    lastActiveAt: machines.lastActiveAt(machine),
  };
}

function coldAt({ state, sinceMs }: Machine, coldAfterMs: number): number | undefined {
  return state === 'warm' ? sinceMs + coldAfterMs : undefined;
}

function toTime(ms: number): string | undefined {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : undefined;
}

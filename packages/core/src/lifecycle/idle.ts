import type { SpriteRecord } from '../ports/store.ts';
import type { Settings } from '../settings.ts';
import { effectiveIdle } from '../sprites/idle-windows.ts';
import type { Busyness } from './holds.ts';

/** How long a sprite may be idle, in `ms`; Infinity for ever. */
export type Windows = { readonly warmAfterMs: number; readonly coldAfterMs: number };

/** A sprite's own windows, and the server's where it has none. */
export function windowsOf(settings: Settings, sprite: Pick<SpriteRecord, 'idle'>): Windows {
  const { warmAfterS, coldAfterS } = effectiveIdle(settings, sprite);
  return { warmAfterMs: toMs(warmAfterS), coldAfterMs: toMs(coldAfterS) };
}

/**
 * When a running sprite falls asleep if nothing more happens, in `ms` since the epoch; Infinity when nobody can say, as
 * something holds it that has no end.
 */
export function idleAt({ heldBy, lastActiveMs }: Busyness, { warmAfterMs }: Windows): number {
  const ends = heldBy.map(({ kind, untilMs = Number.POSITIVE_INFINITY }) =>
    // a session's end is one window after its last activity already, and silence only puts the question off
    kind === 'session' || kind === 'unknown' ? untilMs : untilMs + warmAfterMs,
  );
  return Math.max(lastActiveMs + warmAfterMs, ...ends);
}

function toMs(seconds: number | 'never'): number {
  return seconds === 'never' ? Number.POSITIVE_INFINITY : seconds * 1000;
}

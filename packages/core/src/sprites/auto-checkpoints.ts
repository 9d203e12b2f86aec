import type { AutoCheckpointSettings } from '@sprites/contract';
import type { z } from 'zod';
import type { AutoCheckpoints, SpriteRecord } from '../ports/store.ts';
import type { Settings } from '../settings.ts';

/** What a sprite wants after a change: what the change leaves out stays, and null follows the server again. */
export function toAutoCheckpoints(
  change: z.output<typeof AutoCheckpointSettings> | undefined,
  before: AutoCheckpoints | undefined,
): AutoCheckpoints | undefined {
  if (change === undefined) return before;
  const {
    every_s: every = before?.everyS,
    keep_hourly: hourly = before?.keepHourly,
    keep_daily: daily = before?.keepDaily,
  } = change;
  return { everyS: every ?? undefined, keepHourly: hourly ?? undefined, keepDaily: daily ?? undefined };
}

/** What is in force: the sprite's own, and the server's where it has none. */
export function effectiveAuto(
  { autoCheckpoints: server }: Settings,
  { autoCheckpoints: own }: Pick<SpriteRecord, 'autoCheckpoints'>,
): { readonly everyS: number | 'off'; readonly keepHourly: number; readonly keepDaily: number } {
  return {
    everyS: own?.everyS ?? server.everyS,
    keepHourly: own?.keepHourly ?? server.keepHourly,
    keepDaily: own?.keepDaily ?? server.keepDaily,
  };
}

import type { IdleSettings } from '@sprites/contract';
import type { z } from 'zod';
import type { IdleWindows, SpriteRecord } from '../ports/store.ts';
import type { Settings } from '../settings.ts';

/** What a sprite's idle windows are after a change: what the change leaves out stays, and null follows the server again. */
export function toIdleWindows(
  change: z.output<typeof IdleSettings> | undefined,
  before: IdleWindows | undefined,
): IdleWindows | undefined {
  if (change === undefined) return before;
  const { warm_after_s: warm = before?.warmAfterS, cold_after_s: cold = before?.coldAfterS } = change;
  return { warmAfterS: warm ?? undefined, coldAfterS: cold ?? undefined };
}

/** The idle windows in force: the sprite's own, and the server's where it has none. */
export function effectiveIdle(
  settings: Settings,
  { idle }: Pick<SpriteRecord, 'idle'>,
): { readonly warmAfterS: number | 'never'; readonly coldAfterS: number | 'never' } {
  return {
    warmAfterS: idle?.warmAfterS ?? settings.warmAfterS,
    coldAfterS: idle?.coldAfterS ?? settings.coldAfterS,
  };
}

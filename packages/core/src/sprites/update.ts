import { SpriteError, type UpdateSprite } from '@sprites/contract';
import type { z } from 'zod';
import type { SpritePatch, SpriteRecord } from '../ports/store.ts';
import { toAutoCheckpoints } from './auto-checkpoints.ts';
import type { SpriteDeps } from './deps.ts';
import { getSprite } from './get.ts';
import { toIdleWindows } from './idle-windows.ts';

export type UpdateInput = z.output<typeof UpdateSprite> & { readonly orgId: string; readonly name: string };

/** Changes URL settings, labels, idle windows and automatic checkpoints; what the input leaves out stays. Throws `sprite_not_found`. */
export async function updateSprite(deps: SpriteDeps, input: UpdateInput): Promise<SpriteRecord> {
  const sprite = await getSprite(deps, input);
  const patch: SpritePatch = {
    updatedAt: new Date(deps.clock.now()).toISOString(),
    ...(input.url_settings?.auth === undefined ? {} : { urlAuth: input.url_settings.auth }),
    ...(input.url_settings?.private_access === undefined
      ? {}
      : { privateAccess: input.url_settings.private_access }),
    ...(input.clear_labels === true ? { labels: [] } : {}),
    ...(input.labels === undefined ? {} : { labels: input.labels }),
    ...(input.auto_checkpoints === undefined
      ? {}
      : { autoCheckpoints: toAutoCheckpoints(input.auto_checkpoints, sprite.autoCheckpoints) }),
    ...(input.idle === undefined ? {} : { idle: toIdleWindows(input.idle, sprite.idle) }),
  };
  const updated = await deps.store.updateSprite(sprite.id, patch);
  if (updated === undefined) throw new SpriteError('sprite_not_found', `sprite ${input.name} not found`);
  deps.changes.publish({ type: 'changed', sprite: updated });
  return updated;
}

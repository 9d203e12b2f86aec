import type { SpriteDeps } from './deps.ts';
import { getSprite } from './get.ts';

/**
 * Deletes a sprite. It is gone for every reader when this resolves; its machine and disk are cleared away behind
 * it, and a server that dies meanwhile finishes that at its next start.
 */
export async function removeSprite(
  deps: SpriteDeps,
  input: { readonly orgId: string; readonly name: string },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  const deleted = await deps.store.updateSprite(sprite.id, {
    deletedAt: new Date(deps.clock.now()).toISOString(),
  });
  if (deleted === undefined) return;
  deps.changes.publish({ type: 'deleted', sprite: deleted });
  deps.lifecycle.inBackground(`deletion of sprite ${sprite.name}`, () => deps.lifecycle.erase(deleted));
}

import { SpriteError } from '@sprites/contract';
import type { SpriteDeps } from './deps.ts';
import { getSprite } from './get.ts';

/**
 * Moves a sprite to the newest build of its image; its files stay. A running sprite is stopped, so that its next use
 * boots the new image with the newest agent. Throws `unknown_image` when no build of the image is left.
 */
export async function upgradeSprite(
  deps: SpriteDeps,
  input: { readonly orgId: string; readonly name: string },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  const image = await deps.images.find(sprite.imageName);
  if (image === undefined) {
    throw new SpriteError(
      'unknown_image',
      `no build of image ${sprite.imageName} is installed; build or import it`,
    );
  }
  await deps.lifecycle.sleep(sprite.id, { cause: 'upgrade' });
  const updated = await deps.store.updateSprite(sprite.id, {
    imageDigest: image.digest,
    updatedAt: new Date(deps.clock.now()).toISOString(),
  });
  if (updated === undefined) return;
  deps.changes.publish({ type: 'changed', sprite: updated });
  deps.events.record(sprite.id, {
    type: 'upgraded',
    message: `moved to the newest build of image ${image.name}`,
    details: { from: sprite.imageDigest, to: image.digest },
  });
}

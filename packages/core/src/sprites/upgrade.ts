import { SpriteError } from '@sprites/contract';
import type { CheckpointDeps } from '../checkpoints/deps.ts';
import { replace } from '../checkpoints/replace.ts';
import { saveCheckpoint } from '../checkpoints/save.ts';
import type { MachineControl } from '../lifecycle/lifecycle.ts';
import type { Image } from '../ports/images.ts';
import type { SpriteRecord } from '../ports/store.ts';
import { getSprite } from './get.ts';

/**
 * Moves a sprite to the newest build of its image; its files stay. When there is a newer one this is a transaction: the
 * machine is stopped, the disk saved automatically, the image changed, the machine started and its health asked. When that
 * fails, image and disk are as before and this throws `wake_failed` with the reason. Otherwise a running sprite is only
 * stopped, so that its next use boots the newest agent. Throws `unknown_image` when no build of the image is left.
 */
export async function upgradeSprite(
  deps: CheckpointDeps,
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
  await deps.operations.run(sprite, 'upgrade', async () => {
    // only now, as another upgrade may have ended meanwhile
    const { imageDigest } = await getSprite(deps, input);
    if (image.digest === imageDigest) await deps.lifecycle.sleep(sprite.id, { cause: 'upgrade' });
    else await move(deps, sprite, image);
  });
}

async function move(deps: CheckpointDeps, { id }: SpriteRecord, image: Image): Promise<void> {
  await deps.disks.ensureSpace();
  const from = await deps.lifecycle.exclusively(
    id,
    (machine) => changeImage(deps, { id, image, machine }),
    'upgrade',
  );
  const updatedAt = new Date(deps.clock.now()).toISOString();
  const updated = await deps.store.updateSprite(id, { updatedAt });
  if (updated !== undefined) deps.changes.publish({ type: 'changed', sprite: updated });
  deps.events.record(id, {
    type: 'upgraded',
    message: `moved to the newest build of image ${image.name}; the files from before are ${from.undo}`,
    details: { from: from.digest, to: image.digest, before: from.undo },
  });
}

async function changeImage(
  deps: CheckpointDeps,
  input: { readonly id: string; readonly image: Image; readonly machine: MachineControl },
): Promise<{ readonly digest: string; readonly undo: string }> {
  const { image, machine } = input;
  // what was written up to the last moment is in what is saved
  await machine.stop();
  const sprite = await deps.store.findSpriteById(input.id);
  if (sprite === undefined) throw new SpriteError('sprite_not_found', 'the sprite was deleted meanwhile');
  const comment = `before upgrade of image ${image.name}`;
  const undo = await saveCheckpoint(deps, sprite.id, { comment, cause: 'upgrade' });
  await replace(deps, {
    sprite,
    plan: { undo: undo.id, imageDigest: sprite.imageDigest },
    imageDigest: image.digest,
    machine,
    report: () => {},
    failure: `the newest build of image ${image.name} could not be used`,
    failureEvent: 'upgrade_failed',
  });
  return { digest: sprite.imageDigest, undo: undo.id };
}

import type { SpriteRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, SpriteKey } from './deps.ts';
import { requireGood } from './health.ts';
import { findCheckpoint } from './list.ts';

/** Where a forked disk comes from, found and checked. */
export type ForkOrigin = {
  readonly sprite: SpriteRecord;
  readonly checkpointId: string | undefined;
  /** digest of the image its files lie over */
  readonly imageDigest: string;
};

/** Finds what a new sprite is to be forked from. Throws `sprite_not_found`, `checkpoint_not_found`, `checkpoint_damaged`. */
export async function findForkOrigin(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpoint?: string | undefined },
): Promise<ForkOrigin> {
  const sprite = await getSprite(deps, input);
  const { imageDigest } = sprite;
  if (input.checkpoint === undefined) return { sprite, checkpointId: undefined, imageDigest };
  const checkpoint = await findCheckpoint(deps.store, sprite, input.checkpoint);
  await requireGood(deps, sprite, checkpoint);
  const made = checkpoint.imageDigest;
  const isInstalled = made !== undefined && (await deps.images.find(made)) !== undefined;
  return { sprite, checkpointId: checkpoint.id, imageDigest: isInstalled ? made : imageDigest };
}

/** Makes the disk of a new sprite as a copy of the origin's; durable when this resolves. The origin goes on running. */
export async function forkDisk(deps: CheckpointDeps, origin: ForkOrigin, newId: string): Promise<void> {
  const { sprite, checkpointId } = origin;
  await deps.operations.run(sprite, 'checkpoint', async () => {
    if (checkpointId !== undefined) await deps.disks.fork(sprite.id, checkpointId, newId);
    else {
      await deps.lifecycle.exclusively(sprite.id, () =>
        deps.disks.fork(sprite.id, undefined, newId, (clone) => deps.driver.quiesce(sprite.id, clone)),
      );
    }
  });
}

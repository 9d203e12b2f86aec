import { SpriteError } from '@sprites/contract';
import type { SpriteRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, SpriteKey } from './deps.ts';
import { findCheckpoint } from './list.ts';

/** Where a forked disk comes from, found and checked. */
export type ForkOrigin = { readonly sprite: SpriteRecord; readonly checkpointId: string | undefined };

/** Finds what a new sprite is to be forked from. Throws `sprite_not_found`, `checkpoint_not_found`, `checkpoint_damaged`. */
export async function findForkOrigin(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpoint?: string | undefined },
): Promise<ForkOrigin> {
  const sprite = await getSprite(deps, input);
  if (input.checkpoint === undefined) return { sprite, checkpointId: undefined };
  const checkpoint = await findCheckpoint(deps.store, sprite, input.checkpoint);
  if (checkpoint.health !== '') {
    const message = `checkpoint ${checkpoint.id} of sprite ${sprite.name} is damaged (${checkpoint.health})`;
    throw new SpriteError('checkpoint_damaged', message);
  }
  return { sprite, checkpointId: checkpoint.id };
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

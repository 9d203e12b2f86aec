import { SpriteError } from '@sprites/contract';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, SpriteKey } from './deps.ts';
import { findCheckpoint } from './list.ts';

/**
 * Deletes a checkpoint and frees what only it held. Throws `checkpoint_in_use` for the one the live disk is based on,
 * `operation_in_progress` during a restore.
 */
export async function removeCheckpoint(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpointId: string },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  // not while one is being made: it becomes what the disk is based on
  const work = (): Promise<void> => deps.lifecycle.exclusively(sprite.id, () => remove(deps, input));
  await deps.operations.run(sprite, 'checkpoint', work);
}

async function remove(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpointId: string },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  const checkpoint = await findCheckpoint(deps.store, sprite, input.checkpointId);
  if (sprite.sourceCheckpoint === checkpoint.id) {
    const message = `sprite ${sprite.name} is based on checkpoint ${checkpoint.id}; make or restore another first`;
    throw new SpriteError('checkpoint_in_use', message);
  }
  await deps.store.removeCheckpoint(sprite.id, checkpoint.id);
  // what is still shown inside would keep its blocks
  await deps.inside.refresh(sprite.id);
  await deps.disks.removeCheckpoint(sprite.id, checkpoint.id);
  deps.storage.forget(sprite.id);
}

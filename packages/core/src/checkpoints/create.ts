import type { CheckpointRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, Report, SpriteKey } from './deps.ts';
import { saveCheckpoint } from './save.ts';

/**
 * Saves the disk of a sprite while everything in it goes on; only writes wait, for some milliseconds. What was synced
 * inside is in it, and it is durable when this resolves. Throws `operation_in_progress` during a restore, before anything is reported.
 */
export async function createCheckpoint(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly comment?: string | undefined },
  report: Report,
): Promise<CheckpointRecord> {
  const sprite = await getSprite(deps, input);
  return deps.operations.run(sprite, 'checkpoint', () => {
    report('saving the disk …');
    return deps.lifecycle.exclusively(sprite.id, () =>
      saveCheckpoint(deps, sprite.id, { comment: input.comment }),
    );
  });
}

import { SpriteError } from '@sprites/contract';
import type { RestoreResult } from '@sprites/contract/restore';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, Report, SpriteKey } from './deps.ts';
import { findRestorable } from './restore.ts';
import { saveCheckpoint } from './save.ts';

/** How long an agent may take to put paths back, in `ms`. */
const timeLimitMs = 3_600_000;

export type RestorePathsInput = SpriteKey & {
  readonly checkpointId: string;
  readonly paths: readonly string[];
  /** removes paths that the checkpoint does not have, instead of refusing them */
  readonly remove: boolean;
};

/**
 * Makes single paths of a running sprite as they are in a checkpoint; it is woken and not restarted. The present disk is
 * saved before, so that this can be undone. The writing is done by the agent, as root of the sprite: nothing on the host
 * follows a path inside. Throws like `restoreCheckpoint`, and `path_not_found`, `not_supported`.
 */
export async function restorePaths(
  deps: CheckpointDeps,
  input: RestorePathsInput,
  report: Report,
): Promise<RestoreResult> {
  const sprite = await getSprite(deps, input);
  if (!deps.inside.isSupported) {
    throw new SpriteError('not_supported', 'sprites of this server cannot restore single paths; restore all');
  }
  return deps.operations.run(sprite, 'restore', async () => {
    const checkpoint = await findRestorable(deps, input);
    await deps.disks.ensureSpace();
    report('saving the present disk …');
    const comment = `before restore of ${input.paths.length} paths of ${checkpoint.id}`;
    const undo = await deps.lifecycle.exclusively(sprite.id, () =>
      saveCheckpoint(deps, sprite.id, { comment, cause: 'restore' }),
    );
    const limit = AbortSignal.timeout(timeLimitMs);
    await deps.lifecycle.wake(sprite, limit, 'a restore of paths');
    report(`saved it as ${undo.id}; putting back what ${checkpoint.id} has …`);
    await using _ = await deps.inside.hold(sprite.id, checkpoint.id);
    const order = { checkpoint: checkpoint.id, paths: input.paths, remove: input.remove };
    // awaited here: the checkpoint must be shown until then
    return await deps.agents.restorePaths(sprite.id, order, limit);
  });
}

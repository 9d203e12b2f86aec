import { SpriteError } from '@sprites/contract';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import type { CheckpointDeps } from './deps.ts';

/** What looking after the health of checkpoints needs. */
export type HealthDeps = Pick<CheckpointDeps, 'store' | 'disks' | 'events'>;

/**
 * Makes sure that nothing is known against a checkpoint and that its file looks whole. Throws `checkpoint_damaged` with
 * what is wrong and the newest good one.
 */
export async function requireGood(
  deps: HealthDeps,
  sprite: SpriteRecord,
  checkpoint: CheckpointRecord,
): Promise<void> {
  const health = await lookAt(deps, sprite, checkpoint);
  if (health === '') return;
  const good = await findNewestGood(deps, sprite);
  const advice = good === undefined ? 'there is no good one' : `the newest good one is ${good}`;
  throw new SpriteError(
    'checkpoint_damaged',
    `checkpoint ${checkpoint.id} of sprite ${sprite.name} is damaged (${health}); ${advice}`,
  );
}

/** Id of the newest checkpoint that looks whole, automatic or not. */
export async function findNewestGood(
  deps: HealthDeps,
  sprite: Pick<SpriteRecord, 'id' | 'name'>,
): Promise<string | undefined> {
  for (const checkpoint of (await deps.store.listCheckpoints(sprite.id)).toReversed()) {
    if ((await lookAt(deps, sprite, checkpoint)) === '') return checkpoint.id;
  }
  return undefined;
}

/** Notes what was found out about a checkpoint's health, and tells of damage that was not known. */
export async function noteHealth(
  deps: Pick<HealthDeps, 'store' | 'events'>,
  checkpoint: CheckpointRecord,
  found: { readonly health: string; readonly sizeBytes?: number; readonly verifiedAt?: string },
): Promise<void> {
  const { spriteId, id } = checkpoint;
  const isThere = await deps.store.updateCheckpoint(spriteId, id, found);
  if (!isThere || found.health === '' || found.health === checkpoint.health) return;
  deps.events.record(spriteId, {
    type: 'warning',
    message: `checkpoint ${id} is damaged: ${found.health}`,
    details: { checkpoint: id, health: found.health },
  });
}

async function lookAt(
  deps: HealthDeps,
  sprite: Pick<SpriteRecord, 'id'>,
  checkpoint: CheckpointRecord,
): Promise<string> {
  if (checkpoint.health !== '') return checkpoint.health;
  const health = await deps.disks.inspectCheckpoint(sprite.id, checkpoint.id);
  if (health !== '') await noteHealth(deps, checkpoint, { health });
  return health;
}

import { SpriteError } from '@sprites/contract';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import type { CheckpointDeps } from './deps.ts';

/** A checkpoint that a user asked for, or why the server makes one. */
export type SaveInput = {
  readonly comment?: string | undefined;
  /** set when the server makes it by itself */
  readonly cause?: CheckpointRecord['cause'];
};

/**
 * Saves the disk of a sprite that the caller has to itself, running or not. The number is taken before anything is made,
 * so that no two checkpoints ever have the same; a file without a record is removed at the next start.
 */
export async function saveCheckpoint(
  deps: CheckpointDeps,
  spriteId: string,
  { comment, cause }: SaveInput,
): Promise<CheckpointRecord> {
  const sprite = await deps.store.findSpriteById(spriteId);
  if (sprite === undefined || sprite.deletedAt !== undefined) {
    throw new SpriteError('sprite_not_found', 'the sprite was deleted meanwhile');
  }
  const isAuto = cause !== undefined;
  const id = isAuto ? autoId(deps) : await takeNumber(deps, sprite);
  await deps.disks.saveCheckpoint(sprite.id, id, (clone) => deps.driver.quiesce(sprite.id, clone));
  const checkpoint = await deps.store.insertCheckpoint({
    spriteId: sprite.id,
    id,
    comment,
    createdAt: new Date(deps.clock.now()).toISOString(),
    sourceId: sprite.sourceCheckpoint,
    isAuto,
    health: '',
    cause,
    imageDigest: sprite.imageDigest,
  });
  deps.events.record(spriteId, {
    type: 'checkpoint',
    message: `checkpoint ${id} ${isAuto ? 'saved automatically' : 'saved'}${comment === undefined ? '' : `: ${comment}`}`,
    details: { checkpoint: id, auto: isAuto },
  });
  if (!isAuto) await deps.store.updateSprite(sprite.id, { sourceCheckpoint: id });
  deps.storage.forget(sprite.id);
  deps.verifier.noteNew();
  deps.inside.refreshSoon(sprite.id);
  return checkpoint;
}

async function takeNumber(deps: CheckpointDeps, sprite: SpriteRecord): Promise<string> {
  const number = sprite.checkpointCount + 1;
  await deps.store.updateSprite(sprite.id, { checkpointCount: number });
  return `v${number}`;
}

/** `auto-` and the time, e.g. `auto-20260720t100000-123`. */
function autoId(deps: CheckpointDeps): string {
  const time = new Date(deps.clock.now()).toISOString().toLowerCase();
  return `auto-${time.replaceAll(/[:-]/g, '').replace('.', '-').replace('z', '')}`;
}

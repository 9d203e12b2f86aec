import { SpriteError } from '@sprites/contract';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import type { CheckpointDeps } from './deps.ts';

/**
 * Saves the disk of a sprite that the caller has to itself, running or not. The number is taken before anything is made,
 * so that no two checkpoints ever have the same; a file without a record is removed at the next start.
 */
export async function saveCheckpoint(
  deps: CheckpointDeps,
  spriteId: string,
  input: { readonly comment?: string | undefined; readonly auto: boolean },
): Promise<CheckpointRecord> {
  const sprite = await deps.store.findSpriteById(spriteId);
  if (sprite === undefined || sprite.deletedAt !== undefined) {
    throw new SpriteError('sprite_not_found', 'the sprite was deleted meanwhile');
  }
  const id = input.auto ? autoId(deps) : await takeNumber(deps, sprite);
  await deps.disks.saveCheckpoint(sprite.id, id, (clone) => deps.driver.quiesce(sprite.id, clone));
  const checkpoint = await deps.store.insertCheckpoint({
    spriteId: sprite.id,
    id,
    comment: input.comment,
    createdAt: new Date(deps.clock.now()).toISOString(),
    sourceId: sprite.sourceCheckpoint,
    isAuto: input.auto,
    health: '',
  });
  const how = input.auto ? 'saved automatically' : 'saved';
  const comment = input.comment === undefined ? '' : `: ${input.comment}`;
  deps.events.record(spriteId, {
    type: 'checkpoint',
    message: `checkpoint ${id} ${how}${comment}`,
    details: { checkpoint: id, auto: input.auto },
  });
  if (!input.auto) await deps.store.updateSprite(sprite.id, { sourceCheckpoint: id });
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

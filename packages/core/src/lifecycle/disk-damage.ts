import { SpriteError } from '@sprites/contract';
import { findNewestGood, type HealthDeps } from '../checkpoints/health.ts';
import type { SpriteRecord } from '../ports/store.ts';

/** Throws `disk_damaged`, with the way to get the files back, when the disk of a stopped sprite is missing or plainly damaged. */
export async function requireDisk(deps: HealthDeps, sprite: SpriteRecord): Promise<void> {
  const health = await deps.disks.inspect(sprite.id);
  if (health !== '') throw new SpriteError('disk_damaged', health);
}

/** Says to whom a damaged disk belongs and how to get its files back; other errors stay as they are. */
export async function explainDamage(
  deps: HealthDeps,
  sprite: SpriteRecord,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof SpriteError && error.code === 'disk_damaged')) return error;
  const message = `the disk of sprite ${sprite.name} is damaged: ${error.message}; ${await describeRepair(deps, sprite)}`;
  return new SpriteError('disk_damaged', message, { cause: error });
}

/** How to get the files of a sprite back whose disk is damaged. */
export async function describeRepair(
  deps: HealthDeps,
  sprite: Pick<SpriteRecord, 'id' | 'name'>,
): Promise<string> {
  const good = await findNewestGood(deps, sprite);
  const restore =
    good === undefined
      ? 'it has no good checkpoint to restore'
      : `bring back its newest good checkpoint with: sprite restore -s ${sprite.name} ${good}`;
  return `${restore}; save what is still readable with: sprite export -s ${sprite.name} ${sprite.name}.tar.zst`;
}

import { type EventType, SpriteError } from '@sprites/contract';
import type { MachineControl } from '../lifecycle/lifecycle.ts';
import type { Restoring, SpriteRecord } from '../ports/store.ts';
import type { CheckpointDeps, Report } from './deps.ts';

/** A new disk or image for a sprite whose machine is stopped. */
export type Replacement = {
  readonly sprite: SpriteRecord;
  /** what is put in place, and the way back */
  readonly plan: Restoring;
  /** digest of the image it gets; undefined when it keeps its own */
  readonly imageDigest?: string | undefined;
  readonly machine: MachineControl;
  readonly report: Report;
  /** what failed, for the error: `v1 could not be restored` */
  readonly failure: string;
  /** `restore_failed` unless given */
  readonly failureEvent?: EventType;
};

/**
 * Puts a checkpoint or an image in place and starts the machine. When it does not come up, everything is as before and
 * this throws `wake_failed` with the reason. A server that dies in the middle goes back at its next start.
 */
export async function replace(deps: CheckpointDeps, replacement: Replacement): Promise<void> {
  const { sprite, plan, imageDigest, machine, report } = replacement;
  const image = imageDigest === undefined ? {} : { imageDigest };
  const before = await deps.store.updateSprite(sprite.id, { restoring: plan, ...image });
  if (before === undefined) throw new SpriteError('sprite_not_found', `sprite ${sprite.name} not found`);
  try {
    if (plan.to !== undefined) await deps.disks.restoreCheckpoint(sprite.id, plan.to);
    report('starting the machine …');
    await machine.start(sprite);
  } catch (cause) {
    throw await goBack(deps, replacement, before, cause);
  }
  const source = plan.to === undefined ? {} : { sourceCheckpoint: plan.to };
  await deps.store.updateSprite(sprite.id, { restoring: undefined, ...source });
  deps.storage.forget(sprite.id);
}

/**
 * Puts disk and image from before a restore or an upgrade back in place; the machine must not run. Nothing happens when
 * none is under way.
 */
export async function undoRestore(
  deps: Pick<CheckpointDeps, 'store' | 'disks'>,
  sprite: SpriteRecord,
): Promise<void> {
  const { restoring } = sprite;
  if (restoring === undefined) return;
  const { undo, imageDigest = sprite.imageDigest } = restoring;
  if (undo !== undefined) await deps.disks.restoreCheckpoint(sprite.id, undo);
  await deps.store.updateSprite(sprite.id, { restoring: undefined, imageDigest });
}

async function goBack(
  deps: CheckpointDeps,
  { plan, machine, failure, failureEvent = 'restore_failed' }: Replacement,
  sprite: SpriteRecord,
  cause: unknown,
): Promise<SpriteError> {
  await machine.stop();
  await undoRestore(deps, sprite);
  const reason = cause instanceof SpriteError ? cause.message : 'it could not be put in place';
  const message = `${failure} (${reason}); sprite ${sprite.name} ${describeEnd(plan)}`;
  deps.events.record(sprite.id, { type: failureEvent, message });
  return new SpriteError('wake_failed', message, { cause });
}

function describeEnd({ undo, imageDigest }: Restoring): string {
  if (undo === undefined) return 'had no disk to go back to';
  return imageDigest === undefined ? 'has its old disk back' : 'has its old image and disk back';
}

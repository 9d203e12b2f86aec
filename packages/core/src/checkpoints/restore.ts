import { SpriteError } from '@sprites/contract';
import type { MachineControl } from '../lifecycle/lifecycle.ts';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, Report, SpriteKey } from './deps.ts';
import { findCheckpoint } from './list.ts';
import { saveCheckpoint } from './save.ts';

/**
 * Replaces the disk of a sprite by a checkpoint, as one transaction: the machine is stopped, the present disk saved
 * automatically, the disk swapped, the machine started and its health asked. When that fails the old disk is put back and
 * this throws with the reason. A server that dies in the middle goes back to the old disk at its next start. What is
 * refused is refused before anything is reported or stopped.
 */
export async function restoreCheckpoint(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpointId: string },
  report: Report,
): Promise<void> {
  const sprite = await getSprite(deps, input);
  await deps.operations.run(sprite, 'restore', async () => {
    const checkpoint = await findRestorable(deps, input);
    await deps.disks.ensureSpace();
    report('stopping the machine …');
    await deps.lifecycle.exclusively(
      sprite.id,
      async (machine) => {
        // Stopped before it is saved: what was written up to the last moment can be had back.
        await machine.stop();
        report('saving the present disk …');
        const comment = `before restore of ${checkpoint.id}`;
        const undo = await saveCheckpoint(deps, sprite.id, { comment, auto: true });
        report(`saved it as ${undo.id}; putting ${checkpoint.id} in place …`);
        await swapDisk(deps, { sprite, plan: { to: checkpoint.id, undo: undo.id }, machine, report });
      },
      `restore of ${checkpoint.id}`,
    );
  });
}

/**
 * The checkpoint that a restore is about. Throws `checkpoint_not_found`, `checkpoint_damaged` naming the newest good one.
 */
export async function findRestorable(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly checkpointId: string },
): Promise<CheckpointRecord> {
  const sprite = await getSprite(deps, input);
  const checkpoint = await findCheckpoint(deps.store, sprite, input.checkpointId);
  if (checkpoint.health === '') return checkpoint;
  throw await damaged(deps, sprite, checkpoint.id, checkpoint.health);
}

/** Puts the disk from before a restore back in place; the machine must not run. Nothing happens without a restore under way. */
export async function undoRestore(
  deps: Pick<CheckpointDeps, 'store' | 'disks'>,
  sprite: SpriteRecord,
): Promise<void> {
  if (sprite.restoring === undefined) return;
  await deps.disks.restoreCheckpoint(sprite.id, sprite.restoring.undo);
  await deps.store.updateSprite(sprite.id, { restoring: undefined });
}

async function swapDisk(
  deps: CheckpointDeps,
  input: {
    readonly sprite: SpriteRecord;
    readonly plan: NonNullable<SpriteRecord['restoring']>;
    readonly machine: MachineControl;
    readonly report: Report;
  },
): Promise<void> {
  const { sprite, plan, machine, report } = input;
  const before = await deps.store.updateSprite(sprite.id, { restoring: plan });
  if (before === undefined) throw new SpriteError('sprite_not_found', `sprite ${sprite.name} not found`);
  try {
    await deps.disks.restoreCheckpoint(sprite.id, plan.to);
    report('starting the machine …');
    await machine.start(sprite);
  } catch (cause) {
    throw await goBack(deps, before, machine, cause);
  }
  await deps.store.updateSprite(sprite.id, { restoring: undefined, sourceCheckpoint: plan.to });
  deps.events.record(sprite.id, {
    type: 'restored',
    message: `restored ${plan.to}; the files from before are ${plan.undo}`,
    details: { checkpoint: plan.to, before: plan.undo },
  });
}

async function goBack(
  deps: CheckpointDeps,
  sprite: SpriteRecord,
  machine: MachineControl,
  cause: unknown,
): Promise<SpriteError> {
  await machine.stop();
  await undoRestore(deps, sprite);
  const reason = cause instanceof SpriteError ? cause.message : 'the disk could not be replaced';
  const message = `${sprite.restoring?.to} could not be restored (${reason}); sprite ${sprite.name} has its old disk back`;
  deps.events.record(sprite.id, { type: 'restore_failed', message });
  return new SpriteError('wake_failed', message, { cause });
}

async function damaged(
  deps: CheckpointDeps,
  sprite: SpriteRecord,
  id: string,
  health: string,
): Promise<SpriteError> {
  const good = (await deps.store.listCheckpoints(sprite.id)).findLast((other) => other.health === '');
  const advice = good === undefined ? 'there is no good one' : `the newest good one is ${good.id}`;
  return new SpriteError(
    'checkpoint_damaged',
    `checkpoint ${id} of sprite ${sprite.name} is damaged (${health}); ${advice}`,
  );
}

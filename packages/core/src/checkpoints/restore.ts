import { SpriteError } from '@sprites/contract';
import type { MachineControl } from '../lifecycle/lifecycle.ts';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, Report, SpriteKey } from './deps.ts';
import { noteHealth, requireGood } from './health.ts';
import { findCheckpoint } from './list.ts';
import { replace } from './replace.ts';
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
      (machine) => restore(deps, { sprite, checkpoint, machine, report }),
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
  await requireGood(deps, sprite, checkpoint);
  return checkpoint;
}

type Input = {
  readonly sprite: SpriteRecord;
  readonly checkpoint: CheckpointRecord;
  readonly machine: MachineControl;
  readonly report: Report;
};

async function restore(deps: CheckpointDeps, input: Input): Promise<void> {
  const { checkpoint, machine, report } = input;
  // Stopped before it is saved: what was written up to the last moment can be had back.
  await machine.stop();
  const sprite = await deps.store.findSpriteById(input.sprite.id);
  if (sprite === undefined) {
    throw new SpriteError('sprite_not_found', `sprite ${input.sprite.name} was deleted meanwhile`);
  }
  const undo = await savePresent(deps, sprite, input);
  const imageDigest = await chooseImage(deps, sprite, input);
  await replace(deps, {
    sprite,
    plan: {
      to: checkpoint.id,
      undo,
      ...(imageDigest === undefined ? {} : { imageDigest: sprite.imageDigest }),
    },
    imageDigest,
    machine,
    report,
    failure: `${checkpoint.id} could not be restored`,
  });
  const before = undo === undefined ? 'there were no files before' : `the files from before are ${undo}`;
  deps.events.record(sprite.id, {
    type: 'restored',
    message: `restored ${checkpoint.id}; ${before}`,
    details: { checkpoint: checkpoint.id, ...(undo === undefined ? {} : { before: undo }) },
  });
}

/** Saves the present disk so that the restore can be undone; undefined when there is none. A damaged one is saved as such. */
async function savePresent(
  deps: CheckpointDeps,
  sprite: SpriteRecord,
  { checkpoint, report }: Input,
): Promise<string | undefined> {
  if (!(await deps.disks.has(sprite.id))) {
    report(`there is no present disk to save; putting ${checkpoint.id} in place …`);
    return undefined;
  }
  report('saving the present disk …');
  const health = await deps.disks.inspect(sprite.id);
  const comment = `before restore of ${checkpoint.id}`;
  const undo = await saveCheckpoint(deps, sprite.id, { comment, cause: 'restore' });
  if (health !== '') await noteHealth(deps, undo, { health });
  report(`saved it as ${undo.id}; putting ${checkpoint.id} in place …`);
  return undo.id;
}

/** Files of a checkpoint belong over the image they were made with: undefined when that is the present one, or gone. */
async function chooseImage(
  deps: CheckpointDeps,
  sprite: SpriteRecord,
  { checkpoint, report }: Input,
): Promise<string | undefined> {
  const digest = checkpoint.imageDigest;
  if (digest === undefined || digest === sprite.imageDigest) return undefined;
  if ((await deps.images.find(digest)) !== undefined) return digest;
  report('the image it was made with is not installed any more; the present one stays');
  return undefined;
}

import { SpriteError } from '@sprites/contract';
import type { CheckpointRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, Report, SpriteKey } from './deps.ts';
import { findNewestGood } from './health.ts';
import { findCheckpoint } from './list.ts';

/**
 * Compares checkpoints of a sprite, all when none is named, with their checksums. Answers how many are good; throws
 * `checkpoint_damaged` naming those that are not, at the end, and `checkpoint_not_found` before anything is reported.
 */
export async function verifyCheckpoints(
  deps: CheckpointDeps,
  input: SpriteKey & { readonly ids: readonly string[] },
  report: Report,
): Promise<number> {
  const sprite = await getSprite(deps, input);
  const named = [...new Set(input.ids)].map((id) => findCheckpoint(deps.store, sprite, id));
  const checkpoints =
    named.length === 0 ? await deps.store.listCheckpoints(sprite.id) : await Promise.all(named);
  report(`comparing ${checkpoints.length === 1 ? '1 checkpoint' : `${checkpoints.length} checkpoints`} …`);
  const pass = deps.verifier.beginPass();
  const damaged: string[] = [];
  for (const checkpoint of checkpoints) {
    const health = await verifyOne(deps, checkpoint, pass);
    if (health === undefined) report(`${checkpoint.id} was deleted meanwhile`);
    else if (health === '') report(`${checkpoint.id} is good`);
    else {
      report(`${checkpoint.id} is damaged: ${health}`);
      damaged.push(`${checkpoint.id} (${health})`);
    }
  }
  if (damaged.length === 0) return checkpoints.length;
  const good = await findNewestGood(deps, sprite);
  const advice = good === undefined ? 'there is no good one' : `the newest good one is ${good}`;
  throw new SpriteError('checkpoint_damaged', `damaged: ${damaged.join(', ')}; ${advice}`);
}

/** Undefined when it was deleted meanwhile. */
async function verifyOne(
  deps: CheckpointDeps,
  { spriteId, id }: CheckpointRecord,
  pass: string,
): Promise<string | undefined> {
  const checkpoint = await deps.store.findCheckpoint(spriteId, id);
  if (checkpoint === undefined) return undefined;
  const health = await deps.verifier.verify(checkpoint, pass);
  const isThere = (await deps.store.findCheckpoint(spriteId, id)) !== undefined;
  return isThere ? health : undefined;
}

import { type Checkpoint, currentCheckpointId, SpriteError } from '@sprites/contract';
import type { DiskStorage } from '../ports/disks.ts';
import type { CheckpointRecord, SpriteRecord, Store } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, SpriteKey } from './deps.ts';
import { historyOf } from './history.ts';

type ListDeps = Pick<CheckpointDeps, 'store' | 'clock' | 'storage'>;

/** How long an answer waits for sizes that were never measured, in `ms`. */
const patienceMs = 3000;

/** The live disk as `Current`, then the sprite's checkpoints, newest first. */
export async function listCheckpoints(
  deps: ListDeps,
  input: SpriteKey & { readonly history?: string | undefined; readonly includeAuto: boolean },
): Promise<readonly Checkpoint[]> {
  const sprite = await getSprite(deps, input);
  const records = await deps.store.listCheckpoints(sprite.id);
  const all = new Map(records.map((record) => [record.id, record]));
  const listed = records.filter((record) => input.includeAuto || !record.isAuto).reverse();
  const sizes = sizesOf(await deps.storage.read(sprite.id, patienceMs));
  const checkpoints = [current(deps, sprite, all), ...listed.map((record) => toCheckpoint(record, all))].map(
    (one) => ({ ...one, ...sizes.get(one.id) }),
  );
  const { history } = input;
  if (history === undefined || history === '') return checkpoints;
  return checkpoints.filter((one) => one.id === history || one.history.includes(history));
}

/** One checkpoint, or the live disk by the id `Current`. Throws `checkpoint_not_found`. */
export async function getCheckpoint(
  deps: ListDeps,
  input: SpriteKey & { readonly checkpointId: string },
): Promise<Checkpoint> {
  const sprite = await getSprite(deps, input);
  const records = await deps.store.listCheckpoints(sprite.id);
  const all = new Map(records.map((record) => [record.id, record]));
  const found =
    input.checkpointId === currentCheckpointId
      ? current(deps, sprite, all)
      : toCheckpoint(await findCheckpoint(deps.store, sprite, input.checkpointId), all);
  const sizes = sizesOf(await deps.storage.read(sprite.id, patienceMs));
  return { ...found, ...sizes.get(found.id) };
}

/** The record of a checkpoint. Throws `checkpoint_not_found`. */
export async function findCheckpoint(
  store: Store,
  sprite: SpriteRecord,
  id: string,
): Promise<CheckpointRecord> {
  const checkpoint = await store.findCheckpoint(sprite.id, id);
  if (checkpoint !== undefined) return checkpoint;
  const text = /^[\w-]{1,60}$/.test(id) ? id : JSON.stringify(id.slice(0, 60));
  throw new SpriteError('checkpoint_not_found', `checkpoint ${text} of sprite ${sprite.name} not found`);
}

type Sizes = Pick<Checkpoint, 'size_bytes' | 'own_bytes' | 'shared_bytes'>;

function sizesOf(storage: DiskStorage | undefined): ReadonlyMap<string, Sizes> {
  if (storage === undefined) return new Map();
  const all = [{ id: currentCheckpointId, ...storage.disk }, ...storage.checkpoints];
  return new Map(
    all.map(({ id, usedBytes, ownBytes }) => [
      id,
      { size_bytes: usedBytes, own_bytes: ownBytes, shared_bytes: usedBytes - ownBytes },
    ]),
  );
}

type Sources = ReadonlyMap<string, CheckpointRecord>;

function current(deps: ListDeps, sprite: SpriteRecord, all: Sources): Checkpoint {
  return {
    id: currentCheckpointId,
    create_time: new Date(deps.clock.now()).toISOString(),
    ...(sprite.sourceCheckpoint === undefined ? {} : { source_id: sprite.sourceCheckpoint }),
    history: [...historyOf(all, sprite.sourceCheckpoint)],
    is_auto: false,
    health: '',
  };
}

function toCheckpoint(record: CheckpointRecord, all: Sources): Checkpoint {
  return {
    id: record.id,
    create_time: record.createdAt,
    ...(record.comment === undefined ? {} : { comment: record.comment }),
    ...(record.sourceId === undefined ? {} : { source_id: record.sourceId }),
    history: [...historyOf(all, record.sourceId)],
    is_auto: record.isAuto,
    health: record.health,
  };
}

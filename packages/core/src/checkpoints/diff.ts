import { currentCheckpointId, type DiffTotals, type PathChange, SpriteError } from '@sprites/contract';
import type { SpriteRecord } from '../ports/store.ts';
import type { Comparison, DiskViews, ViewSource } from '../ports/views.ts';
import { getSprite } from '../sprites/get.ts';
import type { CheckpointDeps, SpriteKey } from './deps.ts';
import { requireGood } from './health.ts';
import { findCheckpoint } from './list.ts';

/** What the verbs that look into disks work with. */
export type ViewDeps = CheckpointDeps & { readonly views: DiskViews };

/** Two disks of a sprite by their ids, either of which may be `Current`. */
export type DiffInput = SpriteKey & { readonly before: string; readonly after: string };

/**
 * How the files of two disks of a sprite differ at and below a path, some changes at a time; returns the totals. The
 * sprite is not woken, and the live disk is compared as it is at one moment. Throws `checkpoint_not_found`,
 * `checkpoint_damaged`, and for the live disk `operation_in_progress`, `out_of_space`.
 */
export async function* diffCheckpoints(
  deps: ViewDeps,
  input: DiffInput & { readonly path?: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<readonly PathChange[], DiffTotals> {
  const totals = {
    added: 0,
    removed: 0,
    changed: 0,
    retyped: 0,
    metadata: 0,
    bytes_before: 0,
    bytes_after: 0,
  };
  const comparison = await findComparison(deps, input, input.path ?? '/');
  for await (const changes of deps.views.compare(comparison, signal)) {
    for (const { change, before, after } of changes) {
      totals[change]++;
      totals.bytes_before += before?.size ?? 0;
      totals.bytes_after += after?.size ?? 0;
    }
    yield changes;
  }
  return totals;
}

/** A unified diff of one text file of two disks of a sprite, in pieces. Throws `path_not_found`, `not_text` as well. */
export async function* patchFile(
  deps: ViewDeps,
  input: DiffInput & { readonly path: string },
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield* deps.views.patch(await findComparison(deps, input, input.path), signal);
}

async function findComparison(deps: ViewDeps, input: DiffInput, path: string): Promise<Comparison> {
  const sprite = await getSprite(deps, input);
  return {
    before: await findSource(deps, sprite, input.before),
    after: await findSource(deps, sprite, input.after),
    path,
  };
}

async function findSource(deps: ViewDeps, sprite: SpriteRecord, id: string): Promise<ViewSource> {
  if (id === currentCheckpointId) {
    const quiet: ViewSource['quiet'] = (clone) =>
      deps.operations.run(sprite, 'checkpoint', () =>
        deps.lifecycle.exclusively(sprite.id, () => deps.driver.quiesce(sprite.id, clone)),
      );
    return { diskId: sprite.id, checkpointId: undefined, quiet, ...(await findImage(deps, sprite)) };
  }
  const checkpoint = await findCheckpoint(deps.store, sprite, id);
  await requireGood(deps, sprite, checkpoint);
  const image = await findImage(deps, sprite, checkpoint.imageDigest);
  return { diskId: sprite.id, checkpointId: checkpoint.id, ...image };
}

/** The image that was under a disk when it was saved, or is now. */
async function findImage(
  deps: ViewDeps,
  sprite: SpriteRecord,
  digest = sprite.imageDigest,
): Promise<Pick<ViewSource, 'imageFile' | 'imageDigest'>> {
  const image = await deps.images.find(digest);
  if (image !== undefined) return { imageFile: image.file, imageDigest: image.digest };
  throw new SpriteError(
    'unavailable',
    `image ${sprite.imageName} (${digest}) of sprite ${sprite.name} is not installed; build or import it`,
  );
}

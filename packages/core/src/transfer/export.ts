import { currentCheckpointId } from '@sprites/contract';
import { type ExportManifest, type ExportTree, exportFormat, exportVersion } from '@sprites/contract/export';
import type { SpriteKey } from '../checkpoints/deps.ts';
import type { OutgoingTrees, ReadableTree } from '../ports/archives.ts';
import type { CheckpointRecord, SpritePolicies, SpriteRecord } from '../ports/store.ts';
import { getSprite } from '../sprites/get.ts';
import type { TransferDeps } from './deps.ts';

/** An archive on its way, and the name of the sprite in it. */
export type Export = { readonly name: string; readonly bytes: AsyncIterable<Uint8Array> };

type Source = {
  readonly sprite: SpriteRecord;
  readonly checkpoints: readonly CheckpointRecord[];
  readonly policies: SpritePolicies;
};

/**
 * Packs a sprite with its checkpoints and settings. It is not woken, and while it runs it goes on: what is packed is a
 * copy of this moment. What of it cannot be read is left out and named. Throws `operation_in_progress` during a restore.
 */
export async function exportSprite(deps: TransferDeps, input: SpriteKey): Promise<Export> {
  const sprite = await getSprite(deps, input);
  const { source, trees } = await deps.operations.run(sprite, 'checkpoint', () =>
    deps.lifecycle.exclusively(sprite.id, () => copyAll(deps, input)),
  );
  try {
    const { readable, problems } = await trees.measure();
    const isReadable = ({ id }: CheckpointRecord): boolean => readable.some(({ treeId }) => treeId === id);
    const manifest: ExportManifest = {
      ...describe(deps, source),
      checkpoints: source.checkpoints.filter(isReadable).map(toWire),
      trees: order(source, readable),
      problems: [...problems],
    };
    return { name: sprite.name, bytes: trees.pack(manifest) };
  } catch (error) {
    await trees[Symbol.asyncDispose]();
    throw error;
  }
}

async function copyAll(
  deps: TransferDeps,
  input: SpriteKey,
): Promise<{ readonly source: Source; readonly trees: OutgoingTrees }> {
  const sprite = await getSprite(deps, input);
  const checkpoints = await deps.store.listCheckpoints(sprite.id);
  const saved = checkpoints.map(({ id, createdAt }) => ({
    treeId: id,
    checkpointId: id,
    takenAtMs: Date.parse(createdAt),
  }));
  const live = { treeId: currentCheckpointId, checkpointId: undefined, takenAtMs: deps.clock.now() };
  const quiet = (clone: () => Promise<void>): Promise<void> => deps.driver.quiesce(sprite.id, clone);
  const trees = await deps.archives.copy(sprite.id, [...saved, live], quiet);
  const policies = await deps.store.findPolicies(sprite.id);
  return { source: { sprite, checkpoints, policies }, trees };
}

function describe(
  deps: TransferDeps,
  { sprite, policies }: Source,
): Omit<ExportManifest, 'checkpoints' | 'trees' | 'problems'> {
  const { autoCheckpoints: auto } = sprite;
  return {
    format: exportFormat,
    version: exportVersion,
    created_at: new Date(deps.clock.now()).toISOString(),
    server_version: deps.settings.version,
    image: { name: sprite.imageName, digest: sprite.imageDigest },
    sprite: {
      name: sprite.name,
      created_at: sprite.createdAt,
      labels: [...sprite.labels],
      environment: { ...sprite.environment },
      url_settings: {
        auth: sprite.urlAuth,
        ...(isAccess(sprite.privateAccess) ? { private_access: sprite.privateAccess } : {}),
      },
      config: { ...sprite.config },
      idle: {
        ...(sprite.idle?.warmAfterS === undefined ? {} : { warm_after_s: sprite.idle.warmAfterS }),
        ...(sprite.idle?.coldAfterS === undefined ? {} : { cold_after_s: sprite.idle.coldAfterS }),
      },
      auto_checkpoints: {
        ...(auto?.everyS === undefined ? {} : { every_s: auto.everyS }),
        ...(auto?.keepHourly === undefined ? {} : { keep_hourly: auto.keepHourly }),
        ...(auto?.keepDaily === undefined ? {} : { keep_daily: auto.keepDaily }),
      },
      policies: { ...policies },
      checkpoint_count: sprite.checkpointCount,
      ...(sprite.sourceCheckpoint === undefined ? {} : { source_checkpoint: sprite.sourceCheckpoint }),
    },
  };
}

/** Each tree begins with what its disk was based on, so that little has to be told. */
function order({ sprite, checkpoints }: Source, readable: readonly ReadableTree[]): ExportTree[] {
  const sources = new Map(checkpoints.map(({ id, sourceId }) => [id, sourceId]));
  sources.set(currentCheckpointId, sprite.sourceCheckpoint);
  const trees: ExportTree[] = [];
  for (const { treeId, mostBytes, mostEntries } of readable) {
    const wanted = sources.get(treeId);
    const base = trees.find(({ id }) => id === wanted) ?? trees.at(-1);
    trees.push({
      id: treeId,
      ...(base === undefined ? {} : { base: base.id }),
      most_bytes: mostBytes,
      most_entries: mostEntries,
    });
  }
  return trees;
}

function toWire(record: CheckpointRecord): ExportManifest['checkpoints'][number] {
  return {
    id: record.id,
    create_time: record.createdAt,
    ...(record.comment === undefined ? {} : { comment: record.comment }),
    ...(record.sourceId === undefined ? {} : { source_id: record.sourceId }),
    is_auto: record.isAuto,
    ...(record.cause === undefined ? {} : { cause: record.cause }),
    ...(record.imageDigest === undefined ? {} : { image_digest: record.imageDigest }),
  };
}

function isAccess(access: string | undefined): access is 'admins' | 'org_users' {
  return access === 'admins' || access === 'org_users';
}

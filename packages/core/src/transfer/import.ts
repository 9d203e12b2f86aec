import { createId, parseInput, SpriteError, SpriteName } from '@sprites/contract';
import type { ExportEnd, ExportManifest } from '@sprites/contract/export';
import { compileRules } from '../policies/name-judge.ts';
import type { Image } from '../ports/images.ts';
import type { CheckpointRecord, SpriteRecord } from '../ports/store.ts';
import { ensureCapacity, findImage, newRecord } from '../sprites/create.ts';
import { effectiveConfig, minMemoryMb } from '../sprites/effective-config.ts';
import type { TransferDeps } from './deps.ts';

export type ImportInput = {
  readonly orgId: string;
  /** name of the new sprite; that of the exported one by default */
  readonly name?: string | undefined;
  /** image to use although another was exported; by default exactly the exported one */
  readonly image?: string | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
};

/** A sprite that was imported, and what the archive says of itself at its end. */
export type Imported = { readonly sprite: SpriteRecord; readonly end: ExportEnd };

const gibibyte = 1024 ** 3;

/**
 * Makes a cold sprite with the files, checkpoints and settings of an archive; everything is durable when this resolves, and
 * nothing is left when it rejects. Like a fork it is a new sprite: id, address and identity are its own. Throws
 * `invalid_request`, `invalid_policy`, `sprite_already_exists`, `unknown_image`, `concurrent_sprite_limit_exceeded`, `out_of_space`.
 */
export async function importSprite(
  deps: TransferDeps,
  input: ImportInput,
  signal: AbortSignal,
): Promise<Imported> {
  await using archive = await deps.archives.open(input.bytes, signal);
  const { manifest } = archive;
  checkPolicies(manifest);
  const name = parseInput(SpriteName, input.name ?? manifest.sprite.name);
  if ((await deps.store.findSprite(input.orgId, name)) !== undefined) {
    throw new SpriteError('sprite_already_exists', `sprite ${name} already exists; choose another name`);
  }
  const image =
    input.image === undefined ? await findExportedImage(deps, manifest) : await findImage(deps, input.image);
  await ensureCapacity(deps, false, signal);
  const id = createId('sprite', deps.clock.now());
  const record = importedRecord(deps, { id, name, orgId: input.orgId, image, manifest });
  const storageGb = effectiveConfig(deps.settings, record.config).storage_gb;
  const end = await archive.unpack(id, storageGb * gibibyte);
  try {
    const capacity = Math.min(deps.network.capacity, deps.settings.maxSprites);
    await deps.store.updatePolicies(id, manifest.sprite.policies);
    const checkpoints = manifest.checkpoints.map((checkpoint) => toRecord(id, checkpoint));
    const sprite = await deps.store.insertSpriteWithCheckpoints(record, checkpoints, capacity);
    deps.changes.publish({ type: 'changed', sprite });
    const message = `imported from an export of ${manifest.created_at}`;
    deps.events.record(id, { type: 'created', message, details: { image: image.name } });
    deps.verifier.noteNew();
    return { sprite, end };
  } catch (error) {
    await deps.policies.forget(id);
    await deps.disks.remove(id);
    throw error;
  }
}

/** An archive may be anybody's: a sprite with a policy that makes no sense could not start. */
function checkPolicies({ sprite }: ExportManifest): void {
  const { network, resources } = sprite.policies;
  compileRules(network?.rules ?? []);
  // more than this server gives is taken for as much as it gives
  const limit = resources?.memory?.limit_mb ?? minMemoryMb;
  if (limit >= minMemoryMb) return;
  throw new SpriteError('invalid_policy', `memory.limit_mb: ${limit} is less than ${minMemoryMb}`);
}

/** Files of a sprite lie over those of its image: with another build they may not fit together. */
async function findExportedImage(deps: TransferDeps, { image }: ExportManifest): Promise<Image> {
  const found = await deps.images.find(image.digest);
  if (found !== undefined) return found;
  throw new SpriteError(
    'unknown_image',
    `the sprite was exported with image ${image.name} ${image.digest}, which is not installed here; ` +
      'install that build, or name another image to move the sprite to it as an upgrade does',
  );
}

function importedRecord(
  deps: TransferDeps,
  made: {
    readonly id: string;
    readonly name: string;
    readonly orgId: string;
    readonly image: Image;
    readonly manifest: ExportManifest;
  },
): Omit<SpriteRecord, 'slot'> {
  const { sprite, checkpoints } = made.manifest;
  const { config, idle, auto_checkpoints } = sprite;
  const numbers = checkpoints.map(({ id }) => (id.startsWith('v') ? Number(id.slice(1)) : 0));
  return {
    ...newRecord(deps, { name: made.name, orgId: made.orgId, config, idle, auto_checkpoints }, made),
    urlAuth: sprite.url_settings.auth,
    privateAccess: sprite.url_settings.private_access,
    labels: sprite.labels,
    environment: sprite.environment,
    checkpointCount: Math.max(sprite.checkpoint_count, ...numbers),
    sourceCheckpoint: sprite.source_checkpoint,
  };
}

function toRecord(
  spriteId: string,
  checkpoint: ExportManifest['checkpoints'][number],
): Omit<CheckpointRecord, 'sequence'> {
  return {
    spriteId,
    id: checkpoint.id,
    comment: checkpoint.comment,
    createdAt: new Date(checkpoint.create_time).toISOString(),
    sourceId: checkpoint.source_id,
    isAuto: checkpoint.is_auto,
    health: '',
    cause: checkpoint.cause,
    imageDigest: checkpoint.image_digest,
  };
}

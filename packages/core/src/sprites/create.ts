import { type CreateSprite, createId, SpriteError } from '@sprites/contract';
import type { z } from 'zod';
import type { CheckpointDeps } from '../checkpoints/deps.ts';
import { type ForkOrigin, findForkOrigin, forkDisk } from '../checkpoints/fork.ts';
import { type ClaimDeps, claimMachine } from '../pool/claim.ts';
import type { Image } from '../ports/images.ts';
import type { SpriteRecord } from '../ports/store.ts';
import { toAutoCheckpoints } from './auto-checkpoints.ts';
import { effectiveConfig } from './effective-config.ts';
import { toIdleWindows } from './idle-windows.ts';

export type CreateDeps = CheckpointDeps & ClaimDeps;
export type CreateInput = z.output<typeof CreateSprite> & { readonly orgId: string };

const gibibyte = 1024 ** 3;

/**
 * Makes a sprite with an empty disk, or with a copy of another's; both are durable when this resolves. It is cold, or runs
 * when a machine like it was ready. Throws
 * `sprite_already_exists`, `unknown_image`, `concurrent_sprite_limit_exceeded`, `out_of_space`, and for a fork
 * `sprite_not_found`, `checkpoint_not_found` and `checkpoint_damaged`.
 */
export async function createSprite(
  deps: CreateDeps,
  input: CreateInput,
  signal: AbortSignal,
): Promise<SpriteRecord> {
  if ((await deps.store.findSprite(input.orgId, input.name)) !== undefined) {
    throw new SpriteError('sprite_already_exists', `sprite ${input.name} already exists`);
  }
  const origin = await findOrigin(deps, input);
  await ensureCapacity(deps, input.wait_for_capacity === true, signal);
  const id = createId('sprite', deps.clock.now());
  const record =
    origin === undefined
      ? newRecord(deps, input, {
          id,
          image: await findImage(deps, input.image ?? deps.settings.defaultImage),
        })
      : forkedRecord(deps, input, { id, origin });
  const claimed = origin === undefined ? await claimMachine(deps, record) : undefined;
  const sprite = claimed ?? (await addSprite(deps, record, origin));
  deps.changes.publish({ type: 'changed', sprite });
  recordCreation(deps, sprite, origin);
  return sprite;
}

async function addSprite(
  deps: CreateDeps,
  record: Omit<SpriteRecord, 'slot'>,
  origin: ForkOrigin | undefined,
): Promise<SpriteRecord> {
  const { id, config } = record;
  if (origin !== undefined) await forkDisk(deps, origin, id);
  else await deps.disks.create(id, effectiveConfig(deps.settings, config).storage_gb * gibibyte);
  try {
    // before the sprite is there, so that it is never without them
    if (origin !== undefined) await deps.policies.copy(origin.sprite.id, id);
    return await insertSprite(deps, record);
  } catch (error) {
    await deps.policies.forget(id);
    await deps.disks.remove(id);
    throw error;
  }
}

/** What is ready for others must not keep the last slot from a sprite that is there. */
async function insertSprite(deps: CreateDeps, record: Omit<SpriteRecord, 'slot'>): Promise<SpriteRecord> {
  const capacity = Math.min(deps.network.capacity, deps.settings.maxSprites);
  try {
    return await deps.store.insertSprite(record, capacity);
  } catch (error) {
    if (!(error instanceof SpriteError) || error.code !== 'unavailable') throw error;
    await deps.pool.empty();
    return deps.store.insertSprite(record, capacity);
  }
}

function recordCreation(deps: CheckpointDeps, sprite: SpriteRecord, origin: ForkOrigin | undefined): void {
  if (origin === undefined) {
    const { imageName: image } = sprite;
    deps.events.record(sprite.id, {
      type: 'created',
      message: `created from image ${image}`,
      details: { image },
    });
    return;
  }
  const { name } = origin.sprite;
  const checkpoint = origin.checkpointId;
  const source = checkpoint === undefined ? 'the live disk' : `checkpoint ${checkpoint}`;
  const details = checkpoint === undefined ? {} : { checkpoint };
  deps.events.record(sprite.id, {
    type: 'created',
    message: `forked from ${source} of sprite ${name}`,
    details: { from: name, ...details },
  });
  deps.events.record(origin.sprite.id, {
    type: 'forked',
    message: `${source} was forked to sprite ${sprite.name}`,
    details: { to: sprite.name, ...details },
  });
}

async function findOrigin(deps: CheckpointDeps, input: CreateInput): Promise<ForkOrigin | undefined> {
  if (input.from === undefined) return undefined;
  if (input.image !== undefined) {
    throw new SpriteError(
      'invalid_request',
      'image: a fork has the image of the sprite it comes from; leave it out',
    );
  }
  const { sprite, checkpoint } = input.from;
  return findForkOrigin(deps, { orgId: input.orgId, name: sprite, checkpoint });
}

/** The newest image of that name, or with that digest. Throws `unknown_image`. */
export async function findImage(deps: CheckpointDeps, name: string): Promise<Image> {
  const image = await deps.images.find(name);
  if (image !== undefined) return image;
  const installed = [...new Set((await deps.images.list()).map((other) => other.name))].join(', ');
  throw new SpriteError('unknown_image', `image ${name} is not installed; installed: ${installed || 'none'}`);
}

/** Throws `concurrent_sprite_limit_exceeded` when there is no place for another sprite, at once or after a while. */
export async function ensureCapacity(
  deps: CheckpointDeps,
  wait: boolean,
  signal: AbortSignal,
): Promise<void> {
  const limit = Math.min(deps.network.capacity, deps.settings.maxSprites);
  const deadline = deps.clock.now() + deps.settings.capacityWaitMs;
  for (;;) {
    const count = (await deps.store.listAllSprites()).length;
    if (count < limit) return;
    if (!wait || deps.clock.now() >= deadline) {
      throw new SpriteError(
        'concurrent_sprite_limit_exceeded',
        `this server holds ${count} sprites of ${limit}`,
        {
          details: { limit, current_count: count },
        },
      );
    }
    await deps.clock.sleep(200, signal);
  }
}

/** The record of a sprite that has not run yet. */
export function newRecord(
  deps: CheckpointDeps,
  input: CreateInput,
  made: { readonly id: string; readonly image: Pick<Image, 'name' | 'digest'> },
): Omit<SpriteRecord, 'slot'> {
  const now = new Date(deps.clock.now()).toISOString();
  return {
    id: made.id,
    orgId: input.orgId,
    name: input.name,
    status: 'cold',
    incarnation: 0,
    imageName: made.image.name,
    imageDigest: made.image.digest,
    urlAuth: input.url_settings?.auth ?? 'sprite',
    privateAccess: input.url_settings?.private_access,
    labels: input.labels ?? [],
    environment: input.environment ?? {},
    config: effectiveConfig(deps.settings, input.config ?? {}),
    createdAt: now,
    updatedAt: now,
    lastRunningAt: undefined,
    lastWarmingAt: undefined,
    lastStartedAt: undefined,
    lastActiveAt: undefined,
    deletedAt: undefined,
    checkpointCount: 0,
    sourceCheckpoint: undefined,
    restoring: undefined,
    autoCheckpoints: toAutoCheckpoints(input.auto_checkpoints, undefined),
    idle: toIdleWindows(input.idle, undefined),
    stateSince: now,
    lastWake: undefined,
    lastSleep: undefined,
  };
}

/** A fork has the origin's settings where the request names none, and the origin's sizes always. */
function forkedRecord(
  deps: CheckpointDeps,
  input: CreateInput,
  { id, origin }: { readonly id: string; readonly origin: ForkOrigin },
): Omit<SpriteRecord, 'slot'> {
  const { sprite } = origin;
  const image = { name: sprite.imageName, digest: origin.imageDigest };
  return {
    ...newRecord(deps, input, { id, image }),
    urlAuth: input.url_settings?.auth ?? sprite.urlAuth,
    privateAccess: input.url_settings?.private_access ?? sprite.privateAccess,
    labels: input.labels ?? sprite.labels,
    environment: input.environment ?? sprite.environment,
    autoCheckpoints: toAutoCheckpoints(input.auto_checkpoints, sprite.autoCheckpoints),
    idle: toIdleWindows(input.idle, sprite.idle),
    config: { ...sprite.config, ...input.config, storage_gb: sprite.config.storage_gb },
  };
}

import { type CreateSprite, createId, SpriteError } from '@sprites/contract';
import type { z } from 'zod';
import type { Image } from '../ports/images.ts';
import type { SpriteRecord } from '../ports/store.ts';
import type { SpriteDeps } from './deps.ts';
import { effectiveConfig } from './effective-config.ts';

export type CreateInput = z.output<typeof CreateSprite> & { readonly orgId: string };

const gibibyte = 1024 ** 3;

/**
 * Makes a cold sprite with an empty disk; both are durable when this resolves. Throws `sprite_already_exists`,
 * `unknown_image`, `concurrent_sprite_limit_exceeded` and `out_of_space`.
 */
export async function createSprite(
  deps: SpriteDeps,
  input: CreateInput,
  signal: AbortSignal,
): Promise<SpriteRecord> {
  if ((await deps.store.findSprite(input.orgId, input.name)) !== undefined) {
    throw new SpriteError('sprite_already_exists', `sprite ${input.name} already exists`);
  }
  const image = await findImage(deps, input.image ?? deps.settings.defaultImage);
  await ensureCapacity(deps, input.wait_for_capacity === true, signal);
  const id = createId('sprite', deps.clock.now());
  const config = effectiveConfig(deps.settings, input.config ?? {});
  await deps.disks.create(id, config.storage_gb * gibibyte);
  try {
    const capacity = Math.min(deps.network.capacity, deps.settings.maxSprites);
    const sprite = await deps.store.insertSprite(newRecord(deps, input, { id, image }), capacity);
    deps.changes.publish({ type: 'changed', sprite });
    return sprite;
  } catch (error) {
    await deps.disks.remove(id);
    throw error;
  }
}

async function findImage(deps: SpriteDeps, name: string): Promise<Image> {
  const image = await deps.images.find(name);
  if (image !== undefined) return image;
  const installed = [...new Set((await deps.images.list()).map((other) => other.name))].join(', ');
  throw new SpriteError('unknown_image', `image ${name} is not installed; installed: ${installed || 'none'}`);
}

async function ensureCapacity(deps: SpriteDeps, wait: boolean, signal: AbortSignal): Promise<void> {
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

function newRecord(
  deps: SpriteDeps,
  input: CreateInput,
  made: { readonly id: string; readonly image: Image },
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
  };
}

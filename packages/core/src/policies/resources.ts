import { type ResourcesPolicy, SpriteError } from '@sprites/contract';
import type { SpriteKey } from '../checkpoints/deps.ts';
import type { Settings } from '../settings.ts';
import type { SpriteDeps } from '../sprites/deps.ts';
import { effectiveConfig, minMemoryMb } from '../sprites/effective-config.ts';
import { getSprite } from '../sprites/get.ts';
import { limitMemory } from './policies.ts';

/** How much a sprite may use; empty when nothing is set. Never wakes it. */
export async function getResourcesPolicy(deps: SpriteDeps, input: SpriteKey): Promise<ResourcesPolicy> {
  const sprite = await getSprite(deps, input);
  return (await deps.store.findPolicies(sprite.id)).resources ?? {};
}

/**
 * Replaces the resources policy, or with undefined forgets it; a running machine has the new limit when this resolves. Never
 * wakes it. Throws `invalid_policy` for a limit that the server or the running programs do not allow.
 */
export async function setResourcesPolicy(
  deps: SpriteDeps,
  input: SpriteKey & { readonly policy: ResourcesPolicy | undefined },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  if (input.policy !== undefined) check(deps.settings, input.policy);
  const { ram_mb } = effectiveConfig(deps.settings, sprite.config);
  await deps.policies.setResources(sprite, input.policy, limitMemory(input.policy, ram_mb));
}

function check({ memoryMb }: Settings, { memory }: ResourcesPolicy): void {
  const limit = memory?.limit_mb;
  if (limit === undefined || (limit >= minMemoryMb && limit <= memoryMb)) return;
  throw new SpriteError(
    'invalid_policy',
    `memory.limit_mb: ${limit} is not between ${minMemoryMb} and ${memoryMb}, the most this server gives`,
  );
}

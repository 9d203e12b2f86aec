import type { PrivilegesPolicy } from '@sprites/contract';
import type { SpriteKey } from '../checkpoints/deps.ts';
import type { SpriteDeps } from '../sprites/deps.ts';
import { getSprite } from '../sprites/get.ts';

/** What root may do in a sprite beyond or below the usual; empty when nothing is set. Never wakes it. */
export async function getPrivilegesPolicy(deps: SpriteDeps, input: SpriteKey): Promise<PrivilegesPolicy> {
  const sprite = await getSprite(deps, input);
  return (await deps.store.findPolicies(sprite.id)).privileges ?? {};
}

/** Replaces the privileges policy, or with undefined forgets it; the next start of the machine goes by it. Never wakes it. */
export async function setPrivilegesPolicy(
  deps: SpriteDeps,
  input: SpriteKey & { readonly policy: PrivilegesPolicy | undefined },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  await deps.store.updatePolicies(sprite.id, { privileges: input.policy });
}

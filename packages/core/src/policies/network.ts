import type { NetworkPolicy } from '@sprites/contract';
import type { SpriteKey } from '../checkpoints/deps.ts';
import type { SpriteDeps } from '../sprites/deps.ts';
import { getSprite } from '../sprites/get.ts';
import { compileRules } from './name-judge.ts';

/** The network policy of a sprite; never wakes it. Throws `sprite_not_found`. */
export async function getNetworkPolicy(deps: SpriteDeps, input: SpriteKey): Promise<NetworkPolicy> {
  return deps.policies.network((await getSprite(deps, input)).id);
}

/**
 * Replaces the network policy of a sprite. When this resolves it is stored and in force, and connections to what it does not
 * allow are dead. Never wakes the sprite. Throws `sprite_not_found`, `invalid_policy`.
 */
export async function setNetworkPolicy(
  deps: SpriteDeps,
  input: SpriteKey & { readonly policy: NetworkPolicy },
): Promise<void> {
  const sprite = await getSprite(deps, input);
  compileRules(input.policy.rules);
  await deps.policies.setNetwork(sprite, input.policy);
}

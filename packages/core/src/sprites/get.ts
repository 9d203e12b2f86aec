import { SpriteError } from '@sprites/contract';
import type { SpriteRecord, Store } from '../ports/store.ts';

/** Finds a sprite of the org by name; one of another org does not exist for it. Throws `sprite_not_found`. */
export async function getSprite(
  deps: { readonly store: Store },
  input: { readonly orgId: string; readonly name: string },
): Promise<SpriteRecord> {
  const sprite = await deps.store.findSprite(input.orgId, input.name);
  if (sprite === undefined)
    throw new SpriteError('sprite_not_found', `sprite ${quote(input.name)} not found`);
  return sprite;
}

function quote(name: string): string {
  const text = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return /^[\w.-]+$/.test(text) ? text : JSON.stringify(text);
}

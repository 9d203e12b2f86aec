import { SpriteError } from '@sprites/contract';
import type { SpriteRecord } from '@sprites/core';
import type { Transaction } from 'kysely';
import { fromPatch } from './rows.ts';
import type { Tables } from './schema.ts';

/** Throws `sprite_already_exists` when the org has a visible sprite of that name. */
export async function refuseTwin(
  db: Transaction<Tables>,
  { orgId, name }: Pick<SpriteRecord, 'orgId' | 'name'>,
): Promise<void> {
  const twin = await db
    .selectFrom('sprites')
    .select('id')
    .where('org_id', '=', orgId)
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (twin !== undefined) throw new SpriteError('sprite_already_exists', `sprite ${name} already exists`);
}

/** The lowest slot that no sprite and no machine of the pool has. Throws `unavailable` when none below `capacity` is free. */
export async function findFreeSlot(db: Transaction<Tables>, capacity: number): Promise<number> {
  const pooled = db.selectFrom('pooled').select('slot');
  const slots = await db.selectFrom('sprites').select('slot').unionAll(pooled).orderBy('slot').execute();
  const gap = slots.findIndex((row, index) => row.slot !== index);
  const slot = gap === -1 ? slots.length : gap;
  if (slot < capacity) return slot;
  throw new SpriteError('unavailable', `all ${capacity} places for sprites are taken`);
}

/** Inserts the sprite and returns it. */
export async function addSprite(db: Transaction<Tables>, sprite: SpriteRecord): Promise<SpriteRecord> {
  const { id, orgId, name, slot, ...rest } = sprite;
  const row = { id, org_id: orgId, name, slot, ...fromPatch(rest) };
  await db
    .insertInto('sprites')
    .values(row as never)
    .execute();
  return sprite;
}

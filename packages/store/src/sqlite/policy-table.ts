import type { EgressRecord, SpritePolicies } from '@sprites/core';
import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** Under which kind the log of what a sprite reached is kept beside its policies. */
const egressKind = 'egress';

const policyKinds = ['network', 'privileges', 'resources'] as const satisfies (keyof SpritePolicies)[];

export async function findPolicies(db: Kysely<Tables>, spriteId: string): Promise<SpritePolicies> {
  const rows = await db
    .selectFrom('policies')
    .selectAll()
    .where('sprite_id', '=', spriteId)
    .where('kind', 'in', policyKinds)
    .execute();
  return Object.fromEntries(rows.map((row) => [row.kind, JSON.parse(row.body)]));
}

/** Sets the members that the patch names, in one transaction; undefined removes. */
export async function updatePolicies(
  db: Kysely<Tables>,
  spriteId: string,
  patch: SpritePolicies,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (const kind of policyKinds) {
      if (!(kind in patch)) continue;
      await transaction
        .deleteFrom('policies')
        .where('sprite_id', '=', spriteId)
        .where('kind', '=', kind)
        .execute();
      if (patch[kind] === undefined) continue;
      const row = { sprite_id: spriteId, kind, body: JSON.stringify(patch[kind]) };
      await transaction.insertInto('policies').values(row).execute();
    }
  });
}

export async function findEgress(db: Kysely<Tables>, spriteId: string): Promise<readonly EgressRecord[]> {
  const row = await db
    .selectFrom('policies')
    .select('body')
    .where('sprite_id', '=', spriteId)
    .where('kind', '=', egressKind)
    .executeTakeFirst();
  return row === undefined ? [] : JSON.parse(row.body);
}

/** Replaces the logs of these sprites, in one transaction; sprites that are gone are left out. */
export async function putEgress(
  db: Kysely<Tables>,
  logs: ReadonlyMap<string, readonly EgressRecord[]>,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (const [spriteId, log] of logs) {
      const sprite = await transaction
        .selectFrom('sprites')
        .select('id')
        .where('id', '=', spriteId)
        .executeTakeFirst();
      if (sprite === undefined) continue;
      const row = { sprite_id: spriteId, kind: egressKind, body: JSON.stringify(log) };
      await transaction
        .insertInto('policies')
        .values(row)
        .onConflict((conflict) => conflict.columns(['sprite_id', 'kind']).doUpdateSet({ body: row.body }))
        .execute();
    }
  });
}

/** Removes the policies of a fork that a dying server never made. */
export async function sweepPolicies(db: Kysely<Tables>): Promise<void> {
  const sprites = db.selectFrom('sprites').select('id');
  await db.deleteFrom('policies').where('sprite_id', 'not in', sprites).execute();
}

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** No reference to sprites: a fork's policies are written before the fork is, so that it never exists without them. */
export const policies: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('policies')
      .addColumn('sprite_id', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('policies_key', ['sprite_id', 'kind'])
      .execute();
  },
};

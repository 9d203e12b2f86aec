import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const pooled: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('pooled')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('slot', 'integer', (column) => column.notNull().unique())
      .execute();
  },
};

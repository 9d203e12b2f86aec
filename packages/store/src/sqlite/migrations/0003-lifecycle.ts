import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const lifecycle: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const name of ['idle', 'state_since', 'last_wake', 'last_sleep']) {
      await db.schema.alterTable('sprites').addColumn(name, 'text').execute();
    }
    await db.schema
      .createTable('events')
      .addColumn('sprite_id', 'text', (column) => column.notNull().references('sprites.id'))
      .addColumn('sequence', 'integer', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('message', 'text', (column) => column.notNull())
      .addColumn('details', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('events_key', ['sprite_id', 'sequence'])
      .execute();
  },
};

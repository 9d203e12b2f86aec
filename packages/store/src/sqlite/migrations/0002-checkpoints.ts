import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const checkpoints: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const sprites = db.schema.alterTable('sprites');
    await sprites
      .addColumn('checkpoint_count', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await sprites.addColumn('source_checkpoint', 'text').execute();
    await sprites.addColumn('restoring', 'text').execute();
    await db.schema
      .createTable('checkpoints')
      .addColumn('sprite_id', 'text', (column) => column.notNull().references('sprites.id'))
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('sequence', 'integer', (column) => column.notNull())
      .addColumn('comment', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('source_id', 'text')
      .addColumn('is_auto', 'integer', (column) => column.notNull())
      .addColumn('health', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('checkpoints_key', ['sprite_id', 'id'])
      .execute();
  },
};

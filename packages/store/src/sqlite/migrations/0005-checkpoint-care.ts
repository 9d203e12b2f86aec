import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const checkpointCare: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const name of ['cause', 'image_digest', 'checksum', 'verified_at']) {
      await db.schema.alterTable('checkpoints').addColumn(name, 'text').execute();
    }
    await db.schema.alterTable('checkpoints').addColumn('size_bytes', 'integer').execute();
    await db.schema.alterTable('sprites').addColumn('auto_checkpoints', 'text').execute();
  },
};

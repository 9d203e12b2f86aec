import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const orgsTokensSprites: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('orgs')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('slug', 'text', (column) => column.notNull().unique())
      .addColumn('url_id', 'text', (column) => column.notNull().unique())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('tokens')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('org_id', 'text', (column) => column.notNull().references('orgs.id'))
      .addColumn('secret_hash', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    await createSprites(db);
  },
};

async function createSprites(db: Kysely<unknown>): Promise<void> {
  let table = db.schema
    .createTable('sprites')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('org_id', 'text', (column) => column.notNull().references('orgs.id'))
    .addColumn('slot', 'integer', (column) => column.notNull().unique())
    .addColumn('incarnation', 'integer', (column) => column.notNull());
  const texts = [
    'name',
    'status',
    'image_name',
    'image_digest',
    'url_auth',
    'labels',
    'environment',
    'config',
  ];
  for (const name of [...texts, 'created_at', 'updated_at']) {
    table = table.addColumn(name, 'text', (column) => column.notNull());
  }
  const optional = [
    'private_access',
    'last_running_at',
    'last_warming_at',
    'last_started_at',
    'last_active_at',
  ];
  for (const name of [...optional, 'deleted_at']) table = table.addColumn(name, 'text');
  await table.execute();
  await db.schema
    .createIndex('sprites_visible_name')
    .on('sprites')
    .columns(['org_id', 'name'])
    .unique()
    .where('deleted_at' as never, 'is', null)
    .execute();
}

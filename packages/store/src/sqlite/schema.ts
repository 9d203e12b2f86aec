import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export type OrgRow = { id: string; slug: string; url_id: string; created_at: string };

export type TokenRow = {
  id: string;
  org_id: string;
  secret_hash: string;
  description: string;
  created_at: string;
};

export type SpriteRow = {
  id: string;
  org_id: string;
  name: string;
  status: string;
  slot: number;
  incarnation: number;
  image_name: string;
  image_digest: string;
  url_auth: string;
  private_access: string | null;
  labels: string;
  environment: string;
  config: string;
  created_at: string;
  updated_at: string;
  last_running_at: string | null;
  last_warming_at: string | null;
  last_started_at: string | null;
  last_active_at: string | null;
  deleted_at: string | null;
  checkpoint_count: number;
  source_checkpoint: string | null;
  restoring: string | null;
};

export type CheckpointRow = {
  sprite_id: string;
  id: string;
  sequence: number;
  comment: string | null;
  created_at: string;
  source_id: string | null;
  is_auto: number;
  health: string;
};

export type Tables = { orgs: OrgRow; tokens: TokenRow; sprites: SpriteRow; checkpoints: CheckpointRow };

/** Schema changes in the order of their names; portable SQL only, and never changed once released. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-orgs-tokens-sprites': {
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
  },
  '0002-checkpoints': {
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

import type {
  CheckpointPatch,
  CheckpointRecord,
  EgressRecord,
  EventQuery,
  EventRecord,
  OrgRecord,
  PooledRecord,
  SpriteListQuery,
  SpritePatch,
  SpritePolicies,
  SpriteRecord,
  SpriteStatus,
  Store,
  TokenRecord,
} from '@sprites/core';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { appendEvents, listEvents } from './event-table.ts';
import { migrations } from './migrations/index.ts';
import { openDatabase } from './node-sqlite.ts';
import { findEgress, findPolicies, putEgress, sweepPolicies, updatePolicies } from './policy-table.ts';
import {
  fromCheckpoint,
  fromCheckpointPatch,
  fromPatch,
  fromToken,
  toCheckpoint,
  toOrg,
  toSprite,
  toToken,
} from './rows.ts';
import type { Tables } from './schema.ts';
import { addSprite, findFreeSlot, refuseTwin } from './slots.ts';

/** Opens the store in a SQLite file, made or migrated when needed. Close it before opening the file elsewhere. */
export async function openSqliteStore(file: string): Promise<Store> {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: openDatabase(file) }) });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await db.destroy();
    throw new Error(`the database could not be brought to this version: ${String(error)}`, { cause: error });
  }
  await sweepPolicies(db);
  return new SqliteStore(db);
}

class SqliteStore implements Store {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async insertOrg(org: OrgRecord): Promise<void> {
    const row = { id: org.id, slug: org.slug, url_id: org.urlId, created_at: org.createdAt };
    await this.#db.insertInto('orgs').values(row).execute();
  }

  async findOrgBySlug(slug: string): Promise<OrgRecord | undefined> {
    const row = await this.#db.selectFrom('orgs').selectAll().where('slug', '=', slug).executeTakeFirst();
    return row === undefined ? undefined : toOrg(row);
  }

  async findOrg(id: string): Promise<OrgRecord | undefined> {
    const row = await this.#db.selectFrom('orgs').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toOrg(row);
  }

  async findOrgByUrlId(urlId: string): Promise<OrgRecord | undefined> {
    const row = await this.#db.selectFrom('orgs').selectAll().where('url_id', '=', urlId).executeTakeFirst();
    return row === undefined ? undefined : toOrg(row);
  }

  async insertToken(token: TokenRecord): Promise<void> {
    await this.#db.insertInto('tokens').values(fromToken(token)).execute();
  }

  async putToken(token: TokenRecord): Promise<void> {
    const row = fromToken(token);
    const query = this.#db.insertInto('tokens').values(row);
    await query.onConflict((conflict) => conflict.column('id').doUpdateSet(row)).execute();
  }

  async findToken(id: string): Promise<TokenRecord | undefined> {
    const row = await this.#db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toToken(row);
  }

  insertSprite(sprite: Omit<SpriteRecord, 'slot'>, capacity: number): Promise<SpriteRecord> {
    return this.#db.transaction().execute(async (transaction) => {
      await refuseTwin(transaction, sprite);
      return addSprite(transaction, { ...sprite, slot: await findFreeSlot(transaction, capacity) });
    });
  }

  insertSpriteWithCheckpoints(
    sprite: Omit<SpriteRecord, 'slot'>,
    checkpoints: readonly Omit<CheckpointRecord, 'sequence'>[],
    capacity: number,
  ): Promise<SpriteRecord> {
    return this.#db.transaction().execute(async (transaction) => {
      await refuseTwin(transaction, sprite);
      const slot = await findFreeSlot(transaction, capacity);
      const inserted = await addSprite(transaction, { ...sprite, slot });
      for (const [index, checkpoint] of checkpoints.entries()) {
        const row = fromCheckpoint({ ...checkpoint, sequence: index + 1 });
        await transaction.insertInto('checkpoints').values(row).execute();
      }
      return inserted;
    });
  }

  insertPooled(id: string, capacity: number): Promise<PooledRecord> {
    return this.#db.transaction().execute(async (transaction) => {
      const pooled = { id, slot: await findFreeSlot(transaction, capacity) };
      await transaction.insertInto('pooled').values(pooled).execute();
      return pooled;
    });
  }

  claimPooled(sprite: Omit<SpriteRecord, 'slot'>): Promise<SpriteRecord | undefined> {
    return this.#db.transaction().execute(async (transaction) => {
      const query = transaction.deleteFrom('pooled').where('id', '=', sprite.id).returning('slot');
      const pooled = await query.executeTakeFirst();
      if (pooled === undefined) return undefined;
      await refuseTwin(transaction, sprite);
      return addSprite(transaction, { ...sprite, slot: pooled.slot });
    });
  }

  async removePooled(id: string): Promise<void> {
    await this.#db.deleteFrom('pooled').where('id', '=', id).execute();
  }

  async listPooled(): Promise<readonly PooledRecord[]> {
    return this.#db.selectFrom('pooled').selectAll().execute();
  }

  async findSprite(orgId: string, name: string): Promise<SpriteRecord | undefined> {
    const row = await this.#db
      .selectFrom('sprites')
      .selectAll()
      .where('org_id', '=', orgId)
      .where('name', '=', name)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    return row === undefined ? undefined : toSprite(row);
  }

  async findSpriteById(id: string): Promise<SpriteRecord | undefined> {
    const row = await this.#db.selectFrom('sprites').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toSprite(row);
  }

  async listSprites({ orgId, prefix, after, limit }: SpriteListQuery): Promise<readonly SpriteRecord[]> {
    let query = this.#db
      .selectFrom('sprites')
      .selectAll()
      .where('org_id', '=', orgId)
      .where('deleted_at', 'is', null);
    if (prefix !== undefined && prefix !== '') {
      query = query.where('name', '>=', prefix).where('name', '<', `${prefix}\u{10ffff}`);
    }
    if (after !== undefined) query = query.where('name', '>', after);
    return (await query.orderBy('name').limit(limit).execute()).map(toSprite);
  }

  async countByStatus(orgId: string): Promise<Readonly<Record<SpriteStatus, number>>> {
    const rows = await this.#db
      .selectFrom('sprites')
      .select(({ fn }) => ['status', fn.countAll<number>().as('count')])
      .where('org_id', '=', orgId)
      .where('deleted_at', 'is', null)
      .groupBy('status')
      .execute();
    const count = (status: string): number => Number(rows.find((row) => row.status === status)?.count ?? 0);
    return { cold: count('cold'), warm: count('warm'), running: count('running') };
  }

  async listAllSprites(): Promise<readonly SpriteRecord[]> {
    return (await this.#db.selectFrom('sprites').selectAll().execute()).map(toSprite);
  }

  async updateSprite(id: string, patch: SpritePatch): Promise<SpriteRecord | undefined> {
    const row = await this.#db
      .updateTable('sprites')
      .set(fromPatch(patch))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    return row === undefined ? undefined : toSprite(row);
  }

  async removeSprite(id: string): Promise<void> {
    await this.#db.transaction().execute(async (transaction) => {
      await transaction.deleteFrom('checkpoints').where('sprite_id', '=', id).execute();
      await transaction.deleteFrom('events').where('sprite_id', '=', id).execute();
      await transaction.deleteFrom('policies').where('sprite_id', '=', id).execute();
      await transaction.deleteFrom('sprites').where('id', '=', id).execute();
    });
  }

  findPolicies(spriteId: string): Promise<SpritePolicies> {
    return findPolicies(this.#db, spriteId);
  }

  updatePolicies(spriteId: string, patch: SpritePolicies): Promise<void> {
    return updatePolicies(this.#db, spriteId, patch);
  }

  findEgress(spriteId: string): Promise<readonly EgressRecord[]> {
    return findEgress(this.#db, spriteId);
  }

  putEgress(logs: ReadonlyMap<string, readonly EgressRecord[]>): Promise<void> {
    return putEgress(this.#db, logs);
  }

  insertCheckpoint(checkpoint: Omit<CheckpointRecord, 'sequence'>): Promise<CheckpointRecord> {
    return this.#db.transaction().execute(async (transaction) => {
      const last = await transaction
        .selectFrom('checkpoints')
        .select(({ fn }) => fn.max('sequence').as('sequence'))
        .where('sprite_id', '=', checkpoint.spriteId)
        .executeTakeFirst();
      const sequence = Number(last?.sequence ?? 0) + 1;
      await transaction
        .insertInto('checkpoints')
        .values(fromCheckpoint({ ...checkpoint, sequence }))
        .execute();
      return { ...checkpoint, sequence };
    });
  }

  async findCheckpoint(spriteId: string, id: string): Promise<CheckpointRecord | undefined> {
    const row = await this.#db
      .selectFrom('checkpoints')
      .selectAll()
      .where('sprite_id', '=', spriteId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : toCheckpoint(row);
  }

  async listCheckpoints(spriteId: string): Promise<readonly CheckpointRecord[]> {
    const query = this.#db.selectFrom('checkpoints').selectAll().where('sprite_id', '=', spriteId);
    return (await query.orderBy('sequence').execute()).map(toCheckpoint);
  }

  async listCheckpointsWithoutChecksum(limit: number): Promise<readonly CheckpointRecord[]> {
    const query = this.#db.selectFrom('checkpoints').selectAll().where('checksum', 'is', null);
    return (await query.where('health', '=', '').orderBy('created_at').limit(limit).execute()).map(
      toCheckpoint,
    );
  }

  async setCheckpointHealth(spriteId: string, id: string, health: string): Promise<void> {
    const query = this.#db.updateTable('checkpoints').set({ health }).where('sprite_id', '=', spriteId);
    await query.where('id', '=', id).execute();
  }

  async updateCheckpoint(spriteId: string, id: string, patch: CheckpointPatch): Promise<boolean> {
    const row = fromCheckpointPatch(patch);
    if (Object.keys(row).length === 0) return (await this.findCheckpoint(spriteId, id)) !== undefined;
    const query = this.#db.updateTable('checkpoints').set(row).where('sprite_id', '=', spriteId);
    const { numUpdatedRows } = await query.where('id', '=', id).executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async removeCheckpoint(spriteId: string, id: string): Promise<void> {
    await this.#db.deleteFrom('checkpoints').where('sprite_id', '=', spriteId).where('id', '=', id).execute();
  }

  appendEvents(events: readonly Omit<EventRecord, 'sequence'>[], keep: number): Promise<void> {
    return appendEvents(this.#db, events, keep);
  }

  listEvents(query: EventQuery): Promise<readonly EventRecord[]> {
    return listEvents(this.#db, query);
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}

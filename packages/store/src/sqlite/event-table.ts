import type { EventQuery, EventRecord } from '@sprites/core';
import type { Kysely, Transaction } from 'kysely';
import type { EventRow, Tables } from './schema.ts';

/** Adds events in one transaction, numbered behind those their sprites have, and keeps the newest `keep` of each sprite. */
export async function appendEvents(
  db: Kysely<Tables>,
  events: readonly Omit<EventRecord, 'sequence'>[],
  keep: number,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (const [spriteId, own] of Map.groupBy(events, (event) => event.spriteId)) {
      const last = await lastSequence(transaction, spriteId);
      if (last === undefined) continue;
      await transaction
        .insertInto('events')
        .values(own.map((event, index) => toRow(event, last + 1 + index)))
        .execute();
      await transaction
        .deleteFrom('events')
        .where('sprite_id', '=', spriteId)
        .where('sequence', '<=', last + own.length - keep)
        .execute();
    }
  });
}

/** The newest events that the query asks for, oldest first. */
export async function listEvents(db: Kysely<Tables>, query: EventQuery): Promise<readonly EventRecord[]> {
  let select = db.selectFrom('events').selectAll().where('sprite_id', '=', query.spriteId);
  if (query.after !== undefined) select = select.where('sequence', '>', query.after);
  if (query.from !== undefined) select = select.where('at', '>=', query.from);
  const rows = await select.orderBy('sequence', 'desc').limit(query.limit).execute();
  return rows.reverse().map(toEvent);
}

/** The number of the sprite's last event, 0 without one; undefined when the sprite is gone. */
async function lastSequence(transaction: Transaction<Tables>, spriteId: string): Promise<number | undefined> {
  const row = await transaction
    .selectFrom('sprites')
    .leftJoin('events', 'events.sprite_id', 'sprites.id')
    .select(({ fn }) => ['sprites.id', fn.max('events.sequence').as('sequence')])
    .where('sprites.id', '=', spriteId)
    .groupBy('sprites.id')
    .executeTakeFirst();
  return row === undefined ? undefined : Number(row.sequence ?? 0);
}

function toRow(event: Omit<EventRecord, 'sequence'>, sequence: number): EventRow {
  const { spriteId, details, ...rest } = event;
  return { sprite_id: spriteId, sequence, ...rest, details: JSON.stringify(details) };
}

function toEvent(row: EventRow): EventRecord {
  const { sprite_id, details, ...rest } = row;
  return { spriteId: sprite_id, ...rest, details: JSON.parse(details) };
}

import { endpoints, mostEvents, type SpriteEvent } from '@sprites/contract';
import {
  type Changes,
  type Clock,
  type EventQuery,
  type EventRecord,
  type Events,
  getSprite,
  type Store,
} from '@sprites/core';
import { type App, serve } from '../http/app.ts';

export type EventRoutesDeps = {
  readonly store: Store;
  readonly events: Events;
  readonly changes: Changes;
  readonly clock: Clock;
};

/** Time between two empty lines on a quiet stream, in `ms`; one client gives up after 300 s of silence. */
const keepAliveMs = 15_000;

/** What happened to sprites. */
export function routeEvents(app: App, deps: EventRoutesDeps): void {
  serve(app, deps.store, endpoints.listEvents, async ({ org, parameters, query }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: parameters.name ?? '' });
    await deps.events.flush();
    const wanted = { spriteId: sprite.id, ...sinceOf(query.since) };
    const past = await deps.store.listEvents({ ...wanted, limit: query.limit });
    const follows = query.follow === 'true' || query.follow === '1';
    return new Response(follows ? follow(deps, wanted, past) : toLines(past), {
      headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
    });
  });
}

function sinceOf(since: string | undefined): Pick<EventQuery, 'after' | 'from'> {
  if (since === undefined) return {};
  return /^\d+$/.test(since) ? { after: Number(since) } : { from: new Date(since).toISOString() };
}

/** Past events and then every later one until the sprite is deleted; what is not read waits in the store, not here. */
function follow(
  deps: EventRoutesDeps,
  wanted: Omit<EventQuery, 'limit'>,
  past: readonly EventRecord[],
): ReadableStream<Uint8Array> {
  const { spriteId } = wanted;
  const encoder = new TextEncoder();
  const ended = new AbortController();
  let wake = Promise.withResolvers<void>();
  const unsubscribers = [
    deps.events.subscribe(spriteId, () => wake.resolve()),
    deps.changes.subscribe((change) => {
      if (change.sprite.id === spriteId && change.type === 'deleted') wake.resolve();
    }),
  ];
  const end = (): void => {
    for (const unsubscribe of unsubscribers) unsubscribe();
    ended.abort();
    wake.resolve();
  };
  let waiting = past;
  let after = past.at(-1)?.sequence ?? wanted.after;
  const next = async (): Promise<readonly EventRecord[]> => {
    if (waiting.length > 0) return waiting;
    const later = await deps.store.listEvents({ ...wanted, after, limit: mostEvents });
    if (later.length > 0 || !(await exists(deps.store, spriteId))) return later;
    await Promise.race([wake.promise, deps.clock.sleep(keepAliveMs, ended.signal).catch(() => {})]);
    wake = Promise.withResolvers();
    return deps.store.listEvents({ ...wanted, after, limit: mostEvents });
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const events = await next();
      if (ended.signal.aborted) return;
      waiting = [];
      after = events.at(-1)?.sequence ?? after;
      controller.enqueue(encoder.encode(toLines(events) || '\n'));
      if (events.length > 0 || (await exists(deps.store, spriteId))) return;
      end();
      controller.close();
    },
    cancel: end,
  });
}

async function exists(store: Store, spriteId: string): Promise<boolean> {
  const sprite = await store.findSpriteById(spriteId);
  return sprite !== undefined && sprite.deletedAt === undefined;
}

function toLines(events: readonly EventRecord[]): string {
  return events.map((event) => `${JSON.stringify(toWire(event))}\n`).join('');
}

function toWire({ sequence, at, type, message, details }: EventRecord): SpriteEvent {
  return { id: sequence, time: at, type, message, details: { ...details } };
}

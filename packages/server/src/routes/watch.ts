import type { endpoints, WatchLine } from '@sprites/contract';
import { listSprites, type SpriteRecord } from '@sprites/core';
import type { OrgCall } from '../http/app.ts';
import { toCounters } from './sprite-json.ts';
import type { SpriteRoutesDeps } from './sprites.ts';

/** Time between two heartbeat lines, in `ms`; one client gives up after 300 s of silence. Spec section 4.4. */
const heartbeatMs = 15_000;

type Pending = { readonly deleted: boolean; readonly sprite: SpriteRecord };

/**
 * Streams the org's sprites and then every change of them. A slow reader gets the newest state of each sprite, not
 * every step, so that what waits for it never exceeds one line per sprite.
 */
export function watchSprites(deps: SpriteRoutesDeps, call: OrgCall<typeof endpoints.listSprites>): Response {
  const { org, query } = call;
  const prefix = query.prefix ?? '';
  const pending = new Map<string, Pending>();
  let wake = Promise.withResolvers<void>();
  const unsubscribe = deps.changes.subscribe((change) => {
    if (change.sprite.orgId !== org.id || !change.sprite.name.startsWith(prefix)) return;
    pending.delete(change.sprite.id);
    pending.set(change.sprite.id, { deleted: change.type === 'deleted', sprite: change.sprite });
    wake.resolve();
  });
  const ended = new AbortController();
  const encoder = new TextEncoder();
  let first = true;

  const takePending = async (): Promise<readonly Pending[]> => {
    if (first) {
      first = false;
      for (const sprite of await allSprites(deps, org.id, prefix)) {
        if (!pending.has(sprite.id)) pending.set(sprite.id, { deleted: false, sprite });
      }
    }
    if (pending.size === 0) {
      await Promise.race([wake.promise, deps.clock.sleep(heartbeatMs, ended.signal).catch(() => {})]);
    }
    wake = Promise.withResolvers();
    const taken = [...pending.values()];
    pending.clear();
    return taken;
  };
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const taken = await takePending();
      const counters = await toCounters(deps, org);
      const timestamp = new Date(deps.clock.now()).toISOString();
      const lines: readonly WatchLine[] =
        taken.length === 0
          ? [{ type: 'heartbeat', timestamp, org: counters }]
          : taken.map((change) => ({ ...toLine(deps, change), timestamp, org: counters }));
      if (ended.signal.aborted) return;
      controller.enqueue(encoder.encode(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
    },
    cancel() {
      unsubscribe();
      ended.abort();
      wake.resolve();
    },
  });
  return new Response(stream, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  });
}

function toLine(deps: SpriteRoutesDeps, { deleted, sprite }: Pending): Omit<WatchLine, 'timestamp' | 'org'> {
  if (deleted) return { type: 'deleted', name: sprite.name };
  return {
    name: sprite.name,
    status: sprite.status,
    running_version: deps.settings.version,
    last_running_at: sprite.lastRunningAt ?? null,
    last_warming_at: sprite.lastWarmingAt ?? null,
  };
}

async function allSprites(
  deps: SpriteRoutesDeps,
  orgId: string,
  prefix: string,
): Promise<readonly SpriteRecord[]> {
  const sprites: SpriteRecord[] = [];
  let token: string | undefined;
  do {
    const page = await listSprites(deps, {
      orgId,
      prefix,
      limit: 100,
      ...(token === undefined ? {} : { token }),
    });
    sprites.push(...page.sprites);
    token = page.nextToken;
  } while (token !== undefined);
  return sprites;
}

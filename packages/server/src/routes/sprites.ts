import { endpoints } from '@sprites/contract';
import {
  type CreateDeps,
  createSprite,
  getSprite,
  listSprites,
  removeSprite,
  updateSprite,
  upgradeSprite,
} from '@sprites/core';
import { type App, type OrgCall, serve } from '../http/app.ts';
import { countCreation, type RateLimit } from '../http/rate-limit.ts';
import { toCounters, toSprite, toStorage, type WireDeps } from './sprite-json.ts';
import { watchSprites } from './watch.ts';

export type SpriteRoutesDeps = CreateDeps &
  WireDeps & {
    /** sprites made by one org */
    readonly creations: RateLimit;
  };

/** How long an answer about a sprite waits for its size when that was never measured, in `ms`. */
const storagePatienceMs = 500;

/** Spec section 4. */
export function routeSprites(app: App, deps: SpriteRoutesDeps): void {
  serve(app, deps.store, endpoints.createSprite, async ({ context, org, body, signal }) => {
    countCreation(deps.creations, org);
    const sprite = await createSprite(deps, { ...body, orgId: org.id }, signal);
    return context.json(toSprite(deps, org, sprite), 201);
  });
  serve(app, deps.store, endpoints.listSprites, (call) => {
    const accepts = call.context.req.header('accept') ?? '';
    return accepts.includes('application/x-ndjson') ? watchSprites(deps, call) : list(deps, call);
  });
  serve(app, deps.store, endpoints.getSprite, async ({ context, org, parameters }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    context.header('sprite-version', deps.settings.version);
    const storage = await deps.storage.read(sprite.id, storagePatienceMs);
    return context.json({ ...toSprite(deps, org, sprite), ...toStorage(storage) });
  });
  for (const endpoint of [endpoints.updateSprite, endpoints.patchSprite]) {
    serve(app, deps.store, endpoint, async ({ context, org, parameters, body }) => {
      const sprite = await updateSprite(deps, { ...body, orgId: org.id, name: nameOf(parameters) });
      return context.json(toSprite(deps, org, sprite));
    });
  }
  serve(app, deps.store, endpoints.deleteSprite, async ({ context, org, parameters }) => {
    await removeSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    return context.body(null, 204);
  });
  routeMachines(app, deps);
}

function routeMachines(app: App, deps: SpriteRoutesDeps): void {
  serve(app, deps.store, endpoints.upgradeSprite, async ({ context, org, parameters }) => {
    await upgradeSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    return context.body(null, 204);
  });
  serve(app, deps.store, endpoints.restartSprite, async ({ context, org, parameters }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    deps.lifecycle.inBackground(`restart of sprite ${sprite.name}`, () => deps.lifecycle.restart(sprite));
    const machineId = `${sprite.id.replace(/^sprite_/, 'mach_')}_${sprite.incarnation + 1}`;
    return context.json({ sprite_name: sprite.name, machine_id: machineId, message: 'queued' }, 202);
  });
  serve(app, deps.store, endpoints.sleepSprite, async ({ context, org, parameters, body }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    await deps.lifecycle.sleep(sprite.id, { to: body.to });
    const now = await getSprite(deps, { orgId: org.id, name: sprite.name });
    return context.json(toSprite(deps, org, now));
  });
  serve(app, deps.store, endpoints.wakeSprite, async ({ context, org, parameters, signal }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    await deps.lifecycle.wake(sprite, signal, 'asked for');
    deps.lifecycle.hold(sprite.id, { kind: 'request', label: 'wake' })();
    const now = await getSprite(deps, { orgId: org.id, name: sprite.name });
    return context.json(toSprite(deps, org, now));
  });
  serve(app, deps.store, endpoints.checkSprite, async ({ context, org, parameters, signal }) => {
    const sprite = await getSprite(deps, { orgId: org.id, name: nameOf(parameters) });
    const startedAt = deps.clock.now();
    const reason = await unhealthy(deps, sprite, signal);
    return context.json({
      sprite_name: sprite.name,
      sprite_id: sprite.id,
      status: reason === null ? 'ok' : 'unhealthy',
      reason,
      checked_at: new Date(deps.clock.now()).toISOString(),
      elapsed: (deps.clock.now() - startedAt) / 1000,
    });
  });
}

/** Longest time a health check waits for the agent of a running sprite, in `ms`. */
const healthTimeoutMs = 10_000;

async function unhealthy(
  deps: SpriteRoutesDeps,
  sprite: { readonly id: string; readonly name: string },
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await deps.lifecycle.wake(sprite, signal, 'check');
    await deps.agents.health(sprite.id, AbortSignal.any([signal, AbortSignal.timeout(healthTimeoutMs)]));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function list(deps: SpriteRoutesDeps, call: OrgCall<typeof endpoints.listSprites>): Promise<Response> {
  const { context, org, query } = call;
  const page = await listSprites(deps, {
    orgId: org.id,
    ...(query.prefix === undefined ? {} : { prefix: query.prefix }),
    ...(query.max_results === undefined ? {} : { limit: query.max_results }),
    ...(query.continuation_token === undefined ? {} : { token: query.continuation_token }),
  });
  const counters = await toCounters(deps, org);
  return context.json({
    ...counters,
    sprites: page.sprites.map((sprite) => toSprite(deps, org, sprite)),
    has_more: page.nextToken !== undefined,
    next_continuation_token: page.nextToken ?? null,
    org: counters,
  });
}

function nameOf(parameters: Readonly<Record<string, string>>): string {
  return parameters.name ?? '';
}

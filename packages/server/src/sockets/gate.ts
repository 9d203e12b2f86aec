import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import { type Driver, getSprite, type Lifecycle, type SpriteRecord, type Store } from '@sprites/core';
import { authenticateHeader } from '../http/authenticate.ts';
import { contextOf } from '../http/request-context.ts';
import type { Metrics } from '../metrics.ts';
import type { AgentRoute } from './agent-routes.ts';
import type { Connections } from './connections.ts';

/** What requests that end in a sprite work with. */
export type GateDeps = {
  readonly store: Store;
  readonly driver: Driver<Duplex>;
  readonly lifecycle: Lifecycle;
  readonly connections: Connections;
  readonly metrics: Metrics;
  /** value of the `Sprite-Version` header */
  readonly version: string;
};

/** Checks who asks and finds the sprite; nothing is woken. Throws what the client is told. */
export async function admit(
  deps: GateDeps,
  request: IncomingMessage,
  route: AgentRoute,
): Promise<SpriteRecord> {
  const context = contextOf(request);
  context.route = route.route;
  const org = await authenticateHeader(deps.store, request.headers.authorization);
  context.org = org.slug;
  const sprite = await findSprite(deps, org.id, route);
  context.sprite = sprite.name;
  return sprite;
}

/** Clients of the file API tell what is not there by the name of the system error. Spec section 10.1. */
async function findSprite(deps: GateDeps, orgId: string, route: AgentRoute): Promise<SpriteRecord> {
  try {
    return await getSprite(deps, { orgId, name: route.name });
  } catch (error) {
    if (!(error instanceof SpriteError) || !route.target.startsWith('/v1/fs/')) throw error;
    throw new SpriteError(error.code, error.message, { cause: error.cause, details: { code: 'ENOENT' } });
  }
}

/** Most times a sprite is woken for one request: somebody may put it to sleep just then. */
const mostWakes = 20;

/**
 * Wakes the sprite, opens a stream to its agent and keeps the sprite awake until that is closed. A request about a
 * session does not wake a cold sprite: it has none.
 */
export async function reach(
  deps: GateDeps,
  sprite: SpriteRecord,
  route: AgentRoute,
  signal: AbortSignal,
): Promise<Duplex> {
  const { lifecycle } = deps;
  if (route.needsSession && !lifecycle.hasMachine(sprite.id)) {
    throw new SpriteError(
      'session_not_found',
      `session not found: sprite ${sprite.name} is ${sprite.status}`,
    );
  }
  const release = lifecycle.hold(sprite.id, {
    kind: route.isSocket ? 'connection' : 'request',
    label: route.route,
  });
  try {
    const stream = await dialAwake(deps, sprite, route.route, signal);
    stream.once('close', release);
    if (stream.destroyed) release();
    return stream;
  } catch (error) {
    release();
    throw error;
  }
}

async function dialAwake(
  { lifecycle, driver, connections }: GateDeps,
  sprite: SpriteRecord,
  cause: string,
  signal: AbortSignal,
): Promise<Duplex> {
  for (let wakes = 1; wakes <= mostWakes; wakes++) {
    await lifecycle.wake(sprite, signal, cause);
    try {
      const stream = await driver.dial(sprite.id, signal);
      // From here on it is cut when the sprite is put to sleep. Was that so before, then it waits for a frozen agent, which
      // takes connections and never answers.
      connections.track(sprite.id, stream);
      if (lifecycle.isRunning(sprite.id) && !stream.destroyed) return stream;
      stream.destroy();
    } catch {
      signal.throwIfAborted();
      // it was stopped meanwhile, or died, or cannot be reached, which this throws
      await lifecycle.revive(sprite, signal, cause);
    }
  }
  throw new SpriteError('unavailable', `sprite ${sprite.name} is put to sleep again and again; try later`);
}

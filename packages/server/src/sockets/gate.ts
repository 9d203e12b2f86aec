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
  const sprite = await getSprite(deps, { orgId: org.id, name: route.name });
  context.sprite = sprite.name;
  return sprite;
}

/** Wakes the sprite and opens a stream to its agent. A request about a session does not wake: there is none then. */
export async function reach(
  deps: GateDeps,
  sprite: SpriteRecord,
  route: AgentRoute,
  signal: AbortSignal,
): Promise<Duplex> {
  if (route.needsSession && !deps.lifecycle.isRunning(sprite.id)) {
    throw new SpriteError(
      'session_not_found',
      `session not found: sprite ${sprite.name} is ${sprite.status}`,
    );
  }
  await deps.lifecycle.wake(sprite, signal);
  try {
    return await deps.driver.dial(sprite.id, signal);
  } catch (error) {
    signal.throwIfAborted();
    const message = `the program inside sprite ${sprite.name} cannot be reached; try again`;
    throw new SpriteError('agent_unreachable', message, { cause: error });
  }
}

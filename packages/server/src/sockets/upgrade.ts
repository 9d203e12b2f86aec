import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import { parseTarget } from '../http/path.ts';
import { upgradeHead } from './agent-request.ts';
import { type AgentRoute, findAgentRoute } from './agent-routes.ts';
import { admit, type GateDeps, reach } from './gate.ts';
import { splice } from './splice.ts';

/**
 * Answers a WebSocket upgrade by joining the client with the agent of its sprite. Everything that can fail, fails
 * before: it throws what the client is to be told in an ordinary HTTP answer. Resolves when the connection has ended.
 */
export async function upgrade(
  deps: GateDeps,
  request: IncomingMessage,
  client: Duplex,
  first: Buffer,
): Promise<void> {
  const route = upgradeRoute(request);
  const gone = new AbortController();
  const onGone = (): void => gone.abort(new Error('the client is gone'));
  client.once('close', onGone);
  const sprite = await admit(deps, request, route);
  const agent = await reach(deps, sprite, route, gone.signal);
  client.off('close', onGone);
  agent.write(upgradeHead(request, route.target));
  if (first.length > 0) agent.write(first);
  deps.metrics.execs.inc({ transport: route.route });
  deps.metrics.openSockets.inc();
  const joined = splice(client, agent);
  deps.connections.add(sprite.id, joined);
  await joined.done;
  deps.metrics.openSockets.dec();
}

function upgradeRoute(request: IncomingMessage): AgentRoute {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new SpriteError('invalid_request', `upgrade to ${request.headers.upgrade} is not supported`);
  }
  const route = findAgentRoute(request.method ?? 'GET', parseTarget(request.url ?? '/'));
  const answers = route?.route === 'exec' || route?.route === 'attach' || route?.route === 'control';
  if (route === undefined || !answers)
    throw new SpriteError('not_found', 'no WebSocket endpoint has this path');
  return route;
}

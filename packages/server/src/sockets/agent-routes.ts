import { type Endpoint, endpoints } from '@sprites/contract';
import { matchPath, type Target } from '../http/path.ts';

/** An endpoint that the agent answers, found in a request. */
export type AgentRoute = {
  /** id of the endpoint */
  readonly route: string;
  readonly name: string;
  /** request target on the agent */
  readonly target: string;
  /** true when the endpoint is about a session that must exist already, which a sleeping sprite does not have */
  readonly needsSession: boolean;
  /** what a plain request is answered while the sprite does not run */
  readonly asleep?: Endpoint['asleep'];
  /** true when an upgrade to a WebSocket is answered */
  readonly isSocket: boolean;
  /** true when a request without an upgrade is answered */
  readonly isPlain: boolean;
};

const agentEndpoints = Object.values<Endpoint>(endpoints).filter((endpoint) => endpoint.agent !== undefined);

/** Finds the endpoint of the agent that a request is for. */
export function findAgentRoute(method: string, target: Target): AgentRoute | undefined {
  for (const endpoint of agentEndpoints) {
    if (endpoint.method !== method) continue;
    const parameters = matchPath(endpoint.path, target.segments);
    if (parameters !== undefined) return toRoute(endpoint, parameters.name ?? '', target);
  }
  return undefined;
}

/** The agent's paths are those of the API without the part that names the sprite. */
function toRoute(endpoint: Endpoint, name: string, { segments, search }: Target): AgentRoute {
  const path = segments.slice(3).map(encodeURIComponent).join('/');
  return {
    route: endpoint.id,
    name,
    target: `/v1/${path}${search}`,
    needsSession: endpoint.agent === 'session' || (endpoint.id === 'exec' && namesSession(search)),
    asleep: endpoint.asleep,
    isSocket: endpoint.answers.some((answer) => answer.type === 'websocket'),
    isPlain: endpoint.answers.some((answer) => answer.type !== 'websocket'),
  };
}

function namesSession(search: string): boolean {
  const query = new URLSearchParams(search);
  return query.has('id') || query.has('session_id');
}

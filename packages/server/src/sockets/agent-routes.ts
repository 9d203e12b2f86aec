import { endpoints } from '@sprites/contract';
import { matchPath, type Target } from '../http/path.ts';

/** An endpoint that the agent answers, found in a request. */
export type AgentRoute = {
  readonly route: 'exec' | 'attach' | 'control' | 'headExec' | 'httpExec' | 'killSession';
  readonly name: string;
  /** request target on the agent */
  readonly target: string;
  /** true when the endpoint is about a session that must exist already, which a sleeping sprite does not have */
  readonly needsSession: boolean;
};

/** Finds the endpoint of the agent that a request is for. */
export function findAgentRoute(method: string, target: Target): AgentRoute | undefined {
  const { segments, search } = target;
  const exec = matchPath(endpoints.exec.path, segments);
  if (exec !== undefined) return execRoute(method, exec.name ?? '', search);
  const control = matchPath(endpoints.control.path, segments);
  if (control !== undefined && method === 'GET') {
    return {
      route: 'control',
      name: control.name ?? '',
      target: `/v1/control${search}`,
      needsSession: false,
    };
  }
  const attach = matchPath(endpoints.attach.path, segments);
  if (attach !== undefined && method === 'GET') {
    const path = `/v1/exec/${encodeURIComponent(attach.session_id ?? '')}`;
    return { route: 'attach', name: attach.name ?? '', target: path + search, needsSession: true };
  }
  const kill = matchPath(endpoints.killSession.path, segments);
  if (kill !== undefined && method === 'POST') {
    const path = `/v1/exec/${encodeURIComponent(kill.session_id ?? '')}/kill`;
    return { route: 'killSession', name: kill.name ?? '', target: path + search, needsSession: true };
  }
  return undefined;
}

function execRoute(method: string, name: string, search: string): AgentRoute | undefined {
  const target = `/v1/exec${search}`;
  if (method === 'HEAD') return { route: 'headExec', name, target, needsSession: false };
  if (method === 'POST') return { route: 'httpExec', name, target, needsSession: false };
  if (method !== 'GET') return undefined;
  const query = new URLSearchParams(search);
  return { route: 'exec', name, target, needsSession: query.has('id') || query.has('session_id') };
}

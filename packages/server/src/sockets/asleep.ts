import { SpriteError } from '@sprites/contract';
import type { TaskEntry } from '@sprites/contract/tasks';
import type { Lifecycle, SpriteRecord } from '@sprites/core';
import type { AgentRoute } from './agent-routes.ts';

/**
 * The answer to a read of a sprite that does not run, given without waking it; undefined when it runs or must be asked
 * itself. Throws what the endpoint answers for something that a sleeping sprite does not have, and `agent_unreachable`.
 */
export function answerAsleep(
  lifecycle: Lifecycle,
  sprite: SpriteRecord,
  { route, target, asleep }: AgentRoute,
): object | undefined {
  if (asleep === undefined || lifecycle.isRunning(sprite.id)) return undefined;
  // a frozen sprite still has its sessions, which only it can list
  if (route === 'exec' && lifecycle.hasMachine(sprite.id)) return undefined;
  if (route === 'listTasks') return { tasks: frozenTasks(lifecycle, sprite) };
  if (route === 'getTask') {
    const [path] = target.split('?');
    const task = frozenTasks(lifecycle, sprite).find(
      ({ name }) => path === `/v1/tasks/${encodeURIComponent(name)}`,
    );
    if (task !== undefined) return task;
  }
  if (typeof asleep === 'object') return asleep;
  throw new SpriteError(asleep, `sprite ${sprite.name} is ${sprite.status}`);
}

function frozenTasks(lifecycle: Lifecycle, sprite: SpriteRecord): readonly TaskEntry[] {
  return (lifecycle.frozenTasks(sprite) ?? []).map(({ id, since = '', until = '' }) => ({
    name: id,
    started_at: since,
    expires_at: until,
  }));
}

import type { Activity } from '@sprites/contract/link';
import type { RestoreOrder, RestoreResult } from '@sprites/contract/restore';

/** What an agent says of itself. */
export type AgentHealth = { readonly version: string };

/** Speaks to the agents inside running machines. */
export interface Agents {
  /** Waits until the agent of a running machine answers; rejects with `agent_unreachable` or the signal's reason. */
  health(spriteId: string, signal: AbortSignal): Promise<AgentHealth>;
  /** Asks what keeps the sprite awake now; rejects like `health`. */
  activity(spriteId: string, signal: AbortSignal): Promise<Activity>;
  /** Has paths made as they are in a checkpoint that is shown inside. Rejects like `health`, and with what is wrong with them. */
  restorePaths(spriteId: string, order: RestoreOrder, signal: AbortSignal): Promise<RestoreResult>;
}

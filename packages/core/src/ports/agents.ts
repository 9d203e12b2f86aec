import type { Activity } from '@sprites/contract/link';

/** What an agent says of itself. */
export type AgentHealth = { readonly version: string };

/** Speaks to the agents inside running machines. */
export interface Agents {
  /** Waits until the agent of a running machine answers; rejects with `agent_unreachable` or the signal's reason. */
  health(spriteId: string, signal: AbortSignal): Promise<AgentHealth>;
  /** Asks what keeps the sprite awake now; rejects like `health`. */
  activity(spriteId: string, signal: AbortSignal): Promise<Activity>;
}

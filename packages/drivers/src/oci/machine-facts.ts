import type { MachineSpec } from '@sprites/core';

/** What the agent is told of its machine. */
type MachineFacts = Pick<MachineSpec, 'hostname' | 'spriteId' | 'incarnation' | 'environment'>;

/** Read-only facts for the agent, at `/.sprite/machine.json`; it reads them again when they change. */
export function describeMachine(
  { hostname, spriteId, incarnation, environment }: MachineFacts,
  server: { readonly version: string; readonly agentSettings?: Readonly<Record<string, unknown>> },
): string {
  const facts = { name: hostname, sprite_id: spriteId, incarnation, environment, version: server.version };
  return JSON.stringify({ ...facts, ...server.agentSettings });
}

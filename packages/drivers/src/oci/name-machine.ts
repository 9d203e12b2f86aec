import { writeFile } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import type { MachineName } from '@sprites/core';
import { isAlive, setHostname } from '@sprites/linux';
import { writeName } from './identity-files.ts';
import { describeMachine } from './machine-facts.ts';
import { findRunning, writeState } from './machine-state.ts';
import type { MachineDir } from './run-dir.ts';
import { settleAll } from './settle.ts';

export type NameOptions = Pick<MachineName, 'hostname' | 'environment'> & {
  readonly machine: MachineDir;
  /** what the agent is told of its server */
  readonly server: Parameters<typeof describeMachine>[1];
  /** host id of the machine's root */
  readonly firstId: number;
};

/**
 * Makes a running machine, in which nothing but the agent has ever run, know its name. Throws `unavailable` when there is
 * none, or when it has one.
 */
export async function nameMachine(options: NameOptions): Promise<void> {
  const { machine, hostname, environment, server, firstId } = options;
  const { spriteId } = machine;
  const state = await findRunning(machine);
  if (state?.init === undefined || state.unnamed !== true) {
    throw new SpriteError('unavailable', `${spriteId} has no running machine without a name`);
  }
  const { init, incarnation } = state;
  setHostname(init, hostname);
  await settleAll(
    // our own mount of the root is gone since the machine has one
    writeName(`/proc/${init.pid}/root`, hostname, firstId),
    // in place, because the machine has a bind mount of this very file
    writeFile(machine.facts, describeMachine({ hostname, spriteId, incarnation, environment }, server)),
  );
  if (!isAlive(init)) throw new SpriteError('unavailable', 'the machine ended while it was given its name');
  // last: until now the machine is nobody's
  const { unnamed: _, ...named } = state;
  await writeState(machine, named);
}

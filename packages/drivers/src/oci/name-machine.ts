import { writeFile } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import { isAlive, type ProcessIdentity, setHostname } from '@sprites/linux';
import { writeName } from './identity-files.ts';
import type { MachineDir } from './run-dir.ts';
import { settleAll } from './settle.ts';

export type NameOptions = {
  readonly machine: MachineDir;
  /** the machine's first process */
  readonly init: ProcessIdentity;
  readonly hostname: string;
  /** what the agent is to read of its machine */
  readonly facts: string;
  /** host id of the machine's root */
  readonly firstId: number;
};

/** Makes a running machine, in which nothing but the agent has ever run, know its name. */
export async function nameMachine({ machine, init, hostname, facts, firstId }: NameOptions): Promise<void> {
  setHostname(init, hostname);
  await settleAll(
    // our own mount of the root is gone since the machine has one
    writeName(`/proc/${init.pid}/root`, hostname, firstId),
    // in place, because the machine has a bind mount of this very file
    writeFile(machine.facts, facts),
  );
  if (!isAlive(init)) throw new SpriteError('unavailable', 'the machine ended while it was given its name');
}

import { chown, mkdir, writeFile } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import type { MachineSpec } from '@sprites/core';
import { mount } from '@sprites/linux';
import { createBundle, createNodeCommand, probeCommand } from './bundle.ts';
import { connectGuestSocket, mountSocketDir } from './guest-socket.ts';
import { gvisorProbeArgs, newerGvisor, parseProbeAnswer } from './gvisor.ts';
import { makePolicyDir } from './policy-file.ts';
import type { MachineDir } from './run-dir.ts';
import type { RuntimeName } from './runtime.ts';

const trialSpec: MachineSpec = {
  spriteId: 'probe',
  incarnation: 1,
  hostname: 'probe',
  slot: 0,
  diskFile: '',
  imageFile: '',
  imageDigest: '',
  limits: { cpus: 1, memoryBytes: 256 * 1024 * 1024, maxProcesses: 128 },
  environment: {},
  resolvConf: '',
};

const trialRemedies: Readonly<Record<RuntimeName, string>> = {
  runc: 'mend that first',
  crun: 'mend that or use runtime runc',
  runsc: `${newerGvisor}, or use runtime runc`,
};

const answerTimeoutMs = 10_000;
const mostAnswerBytes = 4096;

export type TrialOptions = {
  readonly machine: MachineDir;
  readonly runtime: RuntimeName;
  /** host directory of the agent runtime */
  readonly agentDir: string;
  readonly firstId: number;
};

/** Makes the bundle of a container that runs a moment without disk and image: under gVisor one that looks around. */
export async function prepareTrial({ machine, runtime, agentDir, firstId }: TrialOptions): Promise<void> {
  await mkdir(machine.path, { mode: 0o710 });
  await mkdir(machine.root);
  await chown(machine.path, 0, firstId);
  const data = `size=1m,mode=755,uid=${firstId},gid=${firstId}`;
  await mount({ source: 'tmpfs', target: machine.root, type: 'tmpfs', data });
  const isGvisor = runtime === 'runsc';
  if (isGvisor) await mountSocketDir(machine, firstId);
  await makePolicyDir(machine);
  await writeFile(machine.facts, '{}', { mode: 0o444 });
  const bundle = createBundle({
    spec: trialSpec,
    machine,
    command: isGvisor ? createNodeCommand(gvisorProbeArgs) : probeCommand,
    agentDir,
    firstId,
    socketDir: isGvisor ? machine.socketDir : undefined,
  });
  await writeFile(machine.config, JSON.stringify(bundle), { mode: 0o600 });
}

/** The refusal of a runtime whose trial failed, with the reason it gave: it is for the operator alone. */
export function cannotRun(runtime: RuntimeName, cause: unknown): SpriteError {
  let reason = cause;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  const text = reason instanceof Error ? reason.message : String(reason);
  const remedy = trialRemedies[runtime];
  const message = `runtime ${runtime} cannot run a container here (${text}); ${remedy}`;
  return new SpriteError('not_supported', message, { cause });
}

/** What the started trial container found missing. */
export async function readTrial(machine: MachineDir, netnsFd: number): Promise<readonly string[]> {
  const socket = connectGuestSocket(machine, netnsFd);
  socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('the trial program does not answer')));
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.length > mostAnswerBytes) throw new Error('the trial program answers too much');
  }
  return parseProbeAnswer(text);
}

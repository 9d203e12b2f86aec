import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipBatch, moveToNewNetns, netnsPath, runTool, ToolError } from '@sprites/linux';

/** A process in a network namespace of its own, standing for a machine or a computer on the internet. */
export type Computer = {
  readonly pid: number;
  run(argv: readonly string[], timeoutMs?: number): Promise<Outcome>;
};

export type Outcome = { readonly status: number; readonly output: string };

const running: ChildProcess[] = [];
const directories: string[] = [];

/** Puts this test process on a host of its own: an empty network namespace, which ends with the process. */
export async function openLab(): Promise<void> {
  moveToNewNetns();
  await ipBatch(['link set lo up']);
}

/** Ends every computer of the lab. */
export function closeLab(): void {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

/** A directory that is there until the lab closes. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sprites-network-'));
  directories.push(directory);
  return directory;
}

/** Starts a computer with nothing but a loopback interface; `userns` makes it its own user namespace, as runc does. */
export async function startComputer({ userns = false } = {}): Promise<Computer> {
  const child = spawn('unshare', [userns ? '-Unr' : '-n', 'sleep', '120'], { stdio: 'ignore' });
  running.push(child);
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('unshare did not start');
  while (readlinkSync(netnsPath(pid)) === readlinkSync(netnsPath(process.pid))) await sleep(2);
  return { pid, run: (argv, timeoutMs = 3000) => runIn(pid, argv, timeoutMs) };
}

/** Starts a computer reached by a link from the host: `host` end and `far` end addresses with their prefix length. */
export async function startNeighbour(device: string, host: string, far: string): Promise<Computer> {
  const computer = await startComputer();
  await ipBatch([
    `link add ${device} type veth peer name eth0 netns ${netnsPath(computer.pid)}`,
    `addr add ${host} dev ${device}`,
    `link set ${device} up`,
  ]);
  await computer.run(['ip', 'link', 'set', 'lo', 'up']);
  await computer.run(['ip', 'addr', 'add', far, 'dev', 'eth0']);
  await computer.run(['ip', 'link', 'set', 'eth0', 'up']);
  return computer;
}

/** Starts a program in the computer that runs until the lab closes, and waits for its first line. */
export async function startProgram(computer: Computer, script: string): Promise<ChildProcess> {
  const argv = [`--net=${netnsPath(computer.pid)}`, 'python3', '-u', '-c', script];
  const child = spawn('nsenter', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  await once(child.stdout, 'data');
  return child;
}

async function runIn(pid: number, argv: readonly string[], timeoutMs: number): Promise<Outcome> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return { status: 0, output: await runTool(['nsenter', `--net=${netnsPath(pid)}`, ...argv], { signal }) };
  } catch (error) {
    if (error instanceof ToolError) return { status: error.exitCode ?? -1, output: error.tail };
    if (signal.aborted) return { status: -1, output: 'timed out' };
    throw error;
  }
}

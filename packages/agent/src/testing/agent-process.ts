import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePath, nodeFlags } from '../index.ts';

const sourcePath = fileURLToPath(new URL('../main.ts', import.meta.url));

export type AgentOptions = {
  /** facts of the machine, as the server would write them */
  readonly machine?: Readonly<Record<string, unknown>>;
  /** runs the built bundle instead of the sources */
  readonly bundled?: boolean;
  /** account to run commands as; by default the agent's own */
  readonly user?: string;
  readonly args?: readonly string[];
};

/** A real agent in a directory of its own; disposing ends it and removes the directory. */
export type AgentProcess = AsyncDisposable & {
  readonly pid: number;
  readonly dir: string;
  readonly socketPath: string;
  /** the socket for programs inside */
  readonly apiSocket: string;
  readonly machineFile: string;
  /** what the agent wrote to its log so far */
  log(): string;
};

/** Starts an agent that listens on a socket in a temporary directory. */
export async function startAgent({
  machine = {},
  bundled = false,
  user = 'no-such-user',
  args = [],
}: AgentOptions = {}): Promise<AgentProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-agent-'));
  const socketPath = join(dir, 'agent.sock');
  const machineFile = join(dir, 'machine.json');
  await writeFile(machineFile, JSON.stringify(machine));
  const paths = [
    '--listen',
    socketPath,
    '--machine-file',
    machineFile,
    '--session-dir',
    join(dir, 'sessions'),
    '--services-dir',
    join(dir, 'services'),
    '--log-dir',
    join(dir, 'logs'),
    '--inside-dir',
    join(dir, 'inside'),
    '--api-socket',
    join(dir, 'api.sock'),
  ];
  const child = spawn(
    process.execPath,
    [...nodeFlags, bundled ? bundlePath : sourcePath, ...paths, '--user', user, ...args],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  const ready = new Promise<void>((resolve) => {
    child.stderr.on('data', (bytes: Buffer) => {
      log += bytes;
      if (log.includes('agent ready')) resolve();
    });
  });
  const exited = once(child, 'exit');
  const failed = exited.then(() => Promise.reject(new Error(`the agent ended: ${log}`)));
  failed.catch(() => undefined);
  await Promise.race([ready, failed]);
  return {
    pid: child.pid ?? 0,
    dir,
    socketPath,
    apiSocket: join(dir, 'api.sock'),
    machineFile,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

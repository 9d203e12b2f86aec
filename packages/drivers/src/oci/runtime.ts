import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import type { CgroupLayout } from '@sprites/linux';
import type { MachineDir, RunDir } from './run-dir.ts';

export type RuntimeName = 'runc' | 'crun';

const mostLogBytes = 65_536;
const commandTimeoutMs = 30_000;

/**
 * Commands of an OCI runtime. They are never cut short by a caller, who would have to guess what is left. None of them is ever given a pipe: the container's first process would inherit it.
 */
export class Runtime {
  readonly name: RuntimeName;
  readonly #runDir: RunDir;
  readonly #prefix: readonly string[];

  constructor(name: RuntimeName, runDir: RunDir, cgroups: CgroupLayout) {
    this.name = name;
    this.#runDir = runDir;
    this.#prefix = name === 'crun' && cgroups.all.length > 1 ? hideUnified(cgroups.unified) : [];
  }

  /** Makes the container, with `socketFd` as descriptor 3 of its first process, which then waits for `start`. */
  create(machine: MachineDir, socketFd: number): Promise<void> {
    const args = [
      '--bundle',
      machine.path,
      '--pid-file',
      machine.pidFile,
      '--preserve-fds',
      '1',
      machine.spriteId,
    ];
    return this.#run(machine, ['create', ...args], socketFd);
  }

  start(machine: MachineDir): Promise<void> {
    return this.#run(machine, ['start', machine.spriteId]);
  }

  async #run(machine: MachineDir, command: readonly string[], socketFd?: number): Promise<void> {
    const root = ['--root', this.#runDir.runtime];
    const log = ['--log', machine.log, '--log-format', 'json'];
    const [program = this.name, ...args] = [...this.#prefix, this.name, ...root, ...log, ...command];
    const descriptors = socketFd === undefined ? [] : [socketFd];
    const code = await new Promise<number | string>((resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ['ignore', 'ignore', 'ignore', ...descriptors],
        signal: AbortSignal.timeout(commandTimeoutMs),
        killSignal: 'SIGKILL',
      });
      let failure: Error | undefined;
      child.on('error', (error) => {
        failure = error;
      });
      child.on('close', (exitCode, exitSignal) => {
        if (failure === undefined) resolve(exitCode ?? exitSignal ?? 'unknown');
        else reject(failure);
      });
    });
    if (code === 0) return;
    const cause = new Error(
      `${this.name} ${command[0]} ended with ${code}: ${await readLastError(machine.log)}`,
    );
    throw new SpriteError('wake_failed', `the container runtime could not ${command[0]} the machine`, {
      cause,
    });
  }
}

/**
 * crun refuses hybrid hosts when it sees the version 2 hierarchy beside the others, so it runs where that is not
 * mounted. The change is in a mount namespace of its own.
 */
function hideUnified(unified: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', 'umount "$0" && exec "$@"', unified];
}

/** The runtime's own words, for the server's log; they name host paths and are not for users. */
async function readLastError(path: string): Promise<string> {
  await using file = await open(path, 'a+');
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, mostLogBytes));
  await file.read(buffer, 0, buffer.length, size - buffer.length);
  const lines = buffer.toString().trim().split('\n');
  return lines.filter((line) => line.includes('"error"')).at(-1) ?? lines.at(-1) ?? '';
}

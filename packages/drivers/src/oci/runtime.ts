import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Clock } from '@sprites/core';
import { type CgroupLayout, hasCode } from '@sprites/linux';
import { readGvisorFlags } from './gvisor.ts';
import type { MachineDir, RunDir } from './run-dir.ts';

export type RuntimeName = 'runc' | 'crun' | 'runsc';

export type RuntimeOptions = {
  readonly name: RuntimeName;
  readonly runDir: RunDir;
  readonly cgroups: CgroupLayout;
  readonly clock: Clock;
  /** how long one command may take before it is killed, in `ms` */
  readonly commandTimeoutMs: number;
  /** further flags before the command, as `--name=value` */
  readonly flags: readonly string[];
};

const mostLogBytes = 65_536;

/** Flags that the runtime needs on this host, for `RuntimeOptions`. */
export async function readRuntimeFlags(runtime: RuntimeName): Promise<readonly string[]> {
  if (runtime === 'crun') return ['--cgroup-manager=cgroupfs'];
  return runtime === 'runsc' ? await readGvisorFlags() : [];
}

/**
 * Commands of an OCI runtime. They are never cut short by a caller, who would have to guess what is left, and never
 * given a pipe, which the container's first process would inherit.
 */
export class Runtime {
  readonly name: RuntimeName;
  readonly #runDir: RunDir;
  readonly #clock: Clock;
  readonly #commandTimeoutMs: number;
  /** the version 2 hierarchy of a host that has others beside it */
  readonly #hybridUnified: string | undefined;
  readonly #flags: readonly string[];

  constructor({ name, runDir, cgroups, clock, commandTimeoutMs, flags }: RuntimeOptions) {
    this.name = name;
    this.#runDir = runDir;
    this.#clock = clock;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#flags = flags;
    this.#hybridUnified = cgroups.all.length > 1 ? cgroups.unified : undefined;
  }

  /** Makes the container, with `socketFd` (not for runsc) as descriptor 3 of its first process, which then waits for `start`. */
  create(machine: MachineDir, socketFd?: number): Promise<void> {
    const descriptors = socketFd === undefined ? [] : ['--preserve-fds', '1'];
    const files = ['--bundle', machine.path, '--pid-file', machine.pidFile];
    return this.#run(machine, ['create', ...files, ...descriptors, this.#containerId(machine)], socketFd);
  }

  /** Lets the first process of a made container go on to its program. */
  async start(machine: MachineDir): Promise<void> {
    if (this.name === 'runc' && (await this.#releaseFifo(machine))) return;
    await this.#run(machine, ['start', this.#containerId(machine)]);
  }

  /** The kernel has all gVisor sandboxes of the host in one space of names, whatever server's they are. */
  #containerId(machine: MachineDir): string {
    return this.name === 'runsc' ? machine.cgroup.slice(1).replaceAll('/', '-') : machine.spriteId;
  }

  /**
   * `runc start` reads a byte from a named pipe that the first process waits to write to; doing that here saves a
   * process. Answers false when this runc has no such pipe.
   */
  async #releaseFifo(machine: MachineDir): Promise<boolean> {
    const path = join(machine.runtimeState, 'exec.fifo');
    let fifo: FileHandle;
    try {
      // for reading and writing, because then neither the open nor the other side's end can block or surprise us
      fifo = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    await using _ = fifo;
    const deadline = this.#clock.now() + this.#commandTimeoutMs;
    while (!(await readByte(fifo))) {
      if (this.#clock.now() > deadline) {
        throw new SpriteError('wake_failed', 'the first process of the machine did not start its program');
      }
      await this.#clock.sleep(1);
    }
    await unlink(path);
    return true;
  }

  #prefix(machine: MachineDir): readonly string[] {
    if (this.#hybridUnified === undefined || this.name === 'runc') return [];
    return this.name === 'crun'
      ? hideUnified(this.#hybridUnified)
      : enterUnified(join(this.#hybridUnified, machine.cgroup));
  }

  async #run(machine: MachineDir, command: readonly string[], socketFd?: number): Promise<void> {
    // runsc keeps several files per container beside each other, so each has a root of its own
    const root = ['--root', this.name === 'runsc' ? machine.runtimeState : this.#runDir.runtime];
    const log = ['--log', machine.log, '--log-format', 'json'];
    const [program = this.name, ...args] = [
      ...this.#prefix(machine),
      this.name,
      ...root,
      ...log,
      ...this.#flags,
      ...command,
    ];
    const code = await this.#wait(
      spawn(program, args, {
        stdio: ['ignore', 'ignore', 'ignore', ...(socketFd === undefined ? [] : [socketFd])],
        // of its own, so that all of it can be killed, and a Ctrl-C for the server does not end it half-way
        detached: true,
      }),
      command[0] ?? '',
    );
    if (code === 0) return;
    const cause = new Error(
      `${this.name} ${command[0]} ended with ${code}: ${await readLastError(machine.log)}`,
    );
    throw new SpriteError('wake_failed', `the container runtime could not ${command[0]} the machine`, {
      cause,
    });
  }

  /** Resolves to the exit code, or the signal. Rejects when the command cannot be started or does not end in time. */
  async #wait(child: ChildProcess, command: string): Promise<number | string> {
    const limitMs = this.#commandTimeoutMs;
    const ended = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<number | string>();
    child.once('error', reject);
    child.once('close', (exitCode, exitSignal) => resolve(exitCode ?? exitSignal ?? 'unknown'));
    let isOverdue = false;
    void this.#clock.sleep(limitMs, ended.signal).then(
      () => {
        if (ended.signal.aborted || child.pid === undefined) return;
        isOverdue = true;
        killGroup(child.pid);
      },
      () => {
        // the command ended in time
      },
    );
    try {
      const code = await promise;
      if (!isOverdue) return code;
    } finally {
      ended.abort();
    }
    const message = `the container runtime ${this.name} did not ${command} the machine within ${limitMs / 1000} s and was killed`;
    throw new SpriteError('wake_failed', message);
  }
}

/** Kills what the command started, as long as it stayed in its process group: the container's first process does not. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/**
 * crun refuses hybrid hosts when it sees the version 2 hierarchy beside the others, so it runs where that is not
 * mounted. The change is in a mount namespace of its own.
 */
function hideUnified(unified: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', 'umount "$0" && exec "$@"', unified];
}

/**
 * On hybrid hosts runsc leaves the version 2 hierarchy alone, and its sandbox is many processes from the start, so it
 * starts in the machine's cgroup there.
 */
function enterUnified(cgroup: string): readonly string[] {
  return ['sh', '-c', 'mkdir -p "$0" && echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup];
}

async function readByte(fifo: FileHandle): Promise<boolean> {
  try {
    return (await fifo.read(Buffer.alloc(1))).bytesRead === 1;
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return false;
    throw error;
  }
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

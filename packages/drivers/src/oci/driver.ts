import { chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';
import type { Clock, Driver, Isolation, MachineSpec, PlugTarget, RunningMachine } from '@sprites/core';
import {
  Cgroup,
  type CgroupLayout,
  connectUnix,
  findCgroups,
  hasCode,
  identifyProcess,
  listenUnix,
  mount,
  openEmptyNetns,
  type ProcessIdentity,
  unmount,
} from '@sprites/linux';
import type { AgentRuntime } from './agent-runtime.ts';
import { createAgentCommand, createBundle, idsPerMachine, probeCommand } from './bundle.ts';
import { checkHost } from './host-check.ts';
import { limitNamespace, raiseHostLimits } from './host-limits.ts';
import { writeIdentity } from './identity-files.ts';
import { isRunning, type MachineState, readBootId, readState, writeState } from './machine-state.ts';
import { killStrayRuntimes, release } from './release.ts';
import { mountRoot } from './root.ts';
import { type MachineDir, RunDir } from './run-dir.ts';
import { Runtime, type RuntimeName } from './runtime.ts';
import { settleAll } from './settle.ts';
import { SharedMounts } from './shared-mounts.ts';

export type OciDriverOptions = {
  /** directory for this server's running machines, see `runDirOf` */
  readonly runDir: string;
  readonly agent: AgentRuntime;
  /** `runc` unless given */
  readonly runtime?: RuntimeName | 'runsc';
  /** version of this server, told to the agent */
  readonly version: string;
  readonly clock: Clock;
  /** further members of the facts each agent reads, see the agent's settings */
  readonly agentSettings?: Readonly<Record<string, unknown>>;
  /** host id of slot 0's root; slot n has the 65536 ids from `uidBase + n * 65536` */
  readonly uidBase?: number;
};

/** Ids no system account, container engine or directory service gives out. */
const defaultUidBase = 0x7000_0000;
const listenBacklog = 1024;

const probeSpec: MachineSpec = {
  spriteId: 'probe',
  incarnation: 1,
  hostname: 'probe',
  slot: 0,
  diskFile: '',
  imageFile: '',
  imageDigest: '',
  limits: { cpus: 1, memoryBytes: 64 * 1024 * 1024, maxProcesses: 16 },
  environment: {},
  resolvConf: '',
};

/**
 * Opens the driver of one run directory after a look at the host and a trial container. Machines that run there are left
 * alone; call `repair` for the dead ones. Throws `not_supported` with the remedy when this host or runtime will not do.
 */
export async function openOciDriver({ runtime = 'runc', ...options }: OciDriverOptions): Promise<OciDriver> {
  if (runtime === 'runsc') {
    throw new SpriteError('not_supported', 'runtime runsc is not supported yet; use runc or crun');
  }
  const [problem] = await checkHost(runtime);
  if (problem !== undefined) throw new SpriteError('not_supported', `${problem.message}; ${problem.remedy}`);
  const cgroups = await findCgroups();
  if (cgroups === undefined) throw new Error('the version 2 cgroup hierarchy is gone');
  await raiseHostLimits();
  const runDir = new RunDir(options.runDir);
  await runDir.prepare();
  const driver = new OciDriver({ ...options, runtime }, runDir, cgroups);
  await driver.probe();
  return driver;
}

/** Machines as containers of an OCI runtime: separate namespaces, ids and limits on the host's own kernel. */
export class OciDriver implements Driver<Socket> {
  readonly isolation: Isolation = 'container';
  readonly #options: OciDriverOptions & { readonly runtime: RuntimeName };
  readonly #runDir: RunDir;
  readonly #cgroups: CgroupLayout;
  readonly #runtime: Runtime;
  readonly #shared: SharedMounts;
  /** network namespace of all sockets that reach into a machine: one that shows nothing of the host; open as long as we live */
  readonly #blindNetnsFd = openEmptyNetns();
  /** last operation of each machine; the next waits for it */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(
    options: OciDriverOptions & { readonly runtime: RuntimeName },
    runDir: RunDir,
    cgroups: CgroupLayout,
  ) {
    this.#options = options;
    this.#runDir = runDir;
    this.#cgroups = cgroups;
    this.#runtime = new Runtime({ name: options.runtime, runDir, cgroups, clock: options.clock });
    this.#shared = new SharedMounts(runDir);
  }

  /** Makes and starts a container that ends at once. Throws `not_supported` when the runtime cannot do it here. */
  async probe(): Promise<void> {
    const machine = this.#runDir.machine('probe');
    const firstId = this.#firstId(0);
    await this.#inTurn(machine.spriteId, async () => {
      await release(this.#releaseDeps, machine);
      try {
        await mkdir(machine.path, { mode: 0o710 });
        await mkdir(machine.root);
        await chown(machine.path, 0, firstId);
        const data = `size=1m,mode=755,uid=${firstId},gid=${firstId}`;
        await mount({ source: 'tmpfs', target: machine.root, type: 'tmpfs', data });
        await writeFile(machine.facts, '{}', { mode: 0o444 });
        const agentDir = await this.#shared.agent(this.#options.agent);
        const bundle = createBundle({ spec: probeSpec, machine, command: probeCommand, agentDir, firstId });
        await writeFile(machine.config, JSON.stringify(bundle), { mode: 0o600 });
        await this.#createContainer(machine);
        await this.#runtime.start(machine);
      } catch (cause) {
        throw new SpriteError('not_supported', `runtime ${this.#runtime.name} cannot run a container here`, {
          cause,
        });
      } finally {
        await release(this.#releaseDeps, machine);
      }
    });
  }

  start(spec: MachineSpec, plug: (target: PlugTarget) => Promise<void>, signal: AbortSignal): Promise<void> {
    const machine = this.#runDir.machine(spec.spriteId);
    return this.#inTurn(spec.spriteId, async () => {
      signal.throwIfAborted();
      if (await this.#findRunning(machine)) {
        throw new SpriteError('unavailable', `sprite ${spec.spriteId} has a running machine already`);
      }
      await release(this.#releaseDeps, machine);
      try {
        await this.#boot(spec, machine, plug, signal);
      } catch (error) {
        await release(this.#releaseDeps, machine);
        throw error;
      }
    });
  }

  stop(spriteId: string): Promise<void> {
    const machine = this.#runDir.machine(spriteId);
    return this.#inTurn(spriteId, () => release(this.#releaseDeps, machine));
  }

  async list(): Promise<readonly RunningMachine[]> {
    return (await this.#listRunning()).map(({ spriteId, incarnation }) => ({ spriteId, incarnation }));
  }

  async repair(): Promise<void> {
    await killStrayRuntimes(this.#runDir);
    for (const spriteId of await this.#listTraces()) {
      const machine = this.#runDir.machine(spriteId);
      await this.#inTurn(spriteId, async () => {
        if (!(await this.#findRunning(machine))) await release(this.#releaseDeps, machine);
      });
    }
    const running = await this.#listRunning();
    await this.#shared.releaseImages(new Set(running.map((state) => state.imageDigest)));
  }

  /** Stops every machine of the run directory and removes it; the driver is of no use afterwards. */
  async release(): Promise<void> {
    await killStrayRuntimes(this.#runDir);
    const traces = await this.#listTraces();
    await settleAll(...traces.map((spriteId) => this.stop(spriteId)));
    await this.#shared.releaseAll();
    await new Cgroup(this.#cgroups, this.#runDir.cgroup).remove();
    await this.#runDir.remove();
  }

  dial(spriteId: string, signal: AbortSignal): Promise<Socket> {
    const { socket: path } = this.#runDir.machine(spriteId);
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = connectUnix(path, this.#blindNetnsFd);
      const onAbort = (): void => {
        socket.destroy();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const onError = (cause: Error): void => {
        signal.removeEventListener('abort', onAbort);
        reject(new SpriteError('agent_unreachable', `sprite ${spriteId} has no running machine`, { cause }));
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        signal.removeEventListener('abort', onAbort);
        socket.off('error', onError);
        resolve(socket);
      });
    });
  }

  async exited(spriteId: string, signal: AbortSignal): Promise<void> {
    const machine = this.#runDir.machine(spriteId);
    if (!(await this.#findRunning(machine))) return;
    // when the first process ends the kernel ends all others of its pid namespace
    await new Cgroup(this.#cgroups, machine.cgroup).waitEmpty(signal);
  }

  async #boot(
    spec: MachineSpec,
    machine: MachineDir,
    plug: (target: PlugTarget) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const firstId = this.#firstId(spec.slot);
    const state: MachineState = {
      spriteId: spec.spriteId,
      incarnation: spec.incarnation,
      imageDigest: spec.imageDigest,
      diskFile: spec.diskFile,
      bootId: await readBootId(),
    };
    await mkdir(machine.path, { mode: 0o710 });
    // the machine's root must pass through, other users of the host must not
    await chown(machine.path, 0, firstId);
    await writeState(machine, state);
    const image = this.#shared.image(spec.imageDigest, spec.imageFile);
    const agentDir = this.#shared.agent(this.#options.agent);
    await settleAll(mountRoot({ spec, machine, image, firstId }), agentDir);
    signal.throwIfAborted();
    const bundle = createBundle({
      spec,
      machine,
      command: createAgentCommand(this.#options.agent),
      agentDir: await agentDir,
      firstId,
    });
    await settleAll(
      writeIdentity(machine.root, spec, firstId),
      writeFile(machine.facts, this.#describe(spec), { mode: 0o444 }),
      writeFile(machine.config, JSON.stringify(bundle), { mode: 0o600 }),
    );
    const init = await this.#createContainer(machine);
    signal.throwIfAborted();
    await settleAll(
      plug({ type: 'pid', pid: init.pid }),
      limitNamespace(init.pid),
      new Cgroup(this.#cgroups, machine.cgroup).adopt(init.pid),
    );
    signal.throwIfAborted();
    await this.#runtime.start(machine);
    // only now: a machine that a dying server never started must not pass for a running one
    await writeState(machine, { ...state, init });
    signal.throwIfAborted();
  }

  async #createContainer(machine: MachineDir): Promise<ProcessIdentity> {
    await using socket = await listenUnix({
      path: machine.socket,
      backlog: listenBacklog,
      netnsFd: this.#blindNetnsFd,
    });
    await this.#runtime.create(machine, socket.fd);
    // the machine has its own mount of it now; ours would only be copied about by other programs
    await unmount(machine.root);
    const init = identifyProcess(Number(await readFile(machine.pidFile, 'utf8')));
    if (init === undefined)
      throw new SpriteError('wake_failed', 'the machine ended before its first program');
    return init;
  }

  /** Read-only facts for the agent, at `/.sprite/machine.json`. */
  #describe(spec: MachineSpec): string {
    return JSON.stringify({
      name: spec.hostname,
      sprite_id: spec.spriteId,
      incarnation: spec.incarnation,
      environment: spec.environment,
      version: this.#options.version,
      ...this.#options.agentSettings,
    });
  }

  #firstId(slot: number): number {
    const firstId = (this.#options.uidBase ?? defaultUidBase) + slot * idsPerMachine;
    if (firstId + idsPerMachine > 0xffff_ffff) {
      throw new SpriteError(
        'unavailable',
        `slot ${slot} is beyond the host's user ids; delete unused sprites`,
      );
    }
    return firstId;
  }

  get #releaseDeps(): { readonly cgroups: CgroupLayout; readonly clock: Clock } {
    return { cgroups: this.#cgroups, clock: this.#options.clock };
  }

  async #findRunning(machine: MachineDir): Promise<MachineState | undefined> {
    const state = await readState(machine);
    return state !== undefined && (await isRunning(state)) ? state : undefined;
  }

  async #listRunning(): Promise<readonly MachineState[]> {
    const ids = await readdir(this.#runDir.machines);
    const found = await Promise.all(ids.map((id) => this.#findRunning(this.#runDir.machine(id))));
    return found.filter((state) => state !== undefined);
  }

  /** Ids of everything a machine of ours may have left somewhere. */
  async #listTraces(): Promise<readonly string[]> {
    const dirs = [this.#runDir.machines, this.#runDir.disks, this.#runDir.runtime];
    const cgroups = this.#cgroups.all.map((root) => `${root}${this.#runDir.cgroup}`);
    const names = await Promise.all([
      ...dirs.map((dir) => readdir(dir)),
      ...cgroups.map((dir) => listDirectories(dir)),
    ]);
    return [...new Set(names.flat())];
  }

  async #inTurn(spriteId: string, work: () => Promise<void>): Promise<void> {
    const previous = this.#turns.get(spriteId) ?? Promise.resolve();
    const current = previous.then(work, work);
    this.#turns.set(spriteId, current);
    try {
      await current;
    } finally {
      if (this.#turns.get(spriteId) === current) this.#turns.delete(spriteId);
    }
  }
}

async function listDirectories(dir: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

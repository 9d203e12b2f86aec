import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';
import {
  type Driver,
  type Isolation,
  type MachineName,
  type MachineSpec,
  type PlugTarget,
  type PortTarget,
  type RunningMachine,
  Turns,
} from '@sprites/core';
import {
  Cgroup,
  type CgroupLayout,
  connectUnix,
  findCgroups,
  identifyProcess,
  limitMemory,
  listenUnix,
  openEmptyNetns,
  type ProcessIdentity,
  thawFileSystem,
  unmount,
} from '@sprites/linux';
import { createAgentCommand, createBundle } from './bundle.ts';
import { connectPort } from './connect-port.ts';
import { dialAgent } from './dial.ts';
import type { OciDriverOptions } from './driver-options.ts';
import { FewAtOnce } from './few-at-once.ts';
import { Freezer } from './freezer.ts';
import { connectGuestSocket, guestSocketPath, mountSocketDir, waitForGuestSocket } from './guest-socket.ts';
import { missingInGvisor } from './gvisor.ts';
import { checkHost } from './host-check.ts';
import { firstIdOf } from './host-ids.ts';
import { dropHostKeys } from './host-keys.ts';
import { limitNamespace, raiseHostLimits } from './host-limits.ts';
import { writeIdentity } from './identity-files.ts';
import { releaseLimitsView, type ViewMount } from './limits-view.ts';
import { describeMachine } from './machine-facts.ts';
import { findRunning, listRunning, type MachineState, readBootId, writeState } from './machine-state.ts';
import { OciMountedDisks } from './mounted-disks.ts';
import { nameMachine } from './name-machine.ts';
import { makePolicyDir, writePolicy } from './policy-file.ts';
import { chooseProcessors, readProcessors } from './processors.ts';
import { DiskQuiescence } from './quiesce.ts';
import { renewRandomSeed } from './random-seed.ts';
import { killStrayRuntimes, type ReleaseDeps, release } from './release.ts';
import { mountRoot } from './root.ts';
import { type MachineDir, RunDir } from './run-dir.ts';
import { Runtime, type RuntimeName, readRuntimeFlags } from './runtime.ts';
import { settleAll } from './settle.ts';
import { SharedMounts } from './shared-mounts.ts';
import { keepSpareSpace } from './spare-space.ts';
import { listTraces } from './traces.ts';
import { cannotRun, prepareTrial, readTrial } from './trial.ts';
import { CheckpointViews } from './views/checkpoint-views.ts';

const listenBacklog = 1024;
const probeTimeoutMs = 20_000;
const defaultCommandTimeoutMs = 30_000;

/**
 * Opens the driver of one run directory after a look at the host and a trial container. Machines that run there are left
 * alone; call `repair` for the dead ones. Throws `not_supported` with the remedy when this host or runtime will not do.
 */
export async function openOciDriver(given: OciDriverOptions): Promise<OciDriver> {
  const { runtime = 'runc', trial = true, ...options } = given;
  const [problem] = await checkHost(runtime);
  if (trial && problem !== undefined)
    throw new SpriteError('not_supported', `${problem.message}; ${problem.remedy}`);
  const cgroups = await findCgroups();
  if (cgroups === undefined) throw new Error('the version 2 cgroup hierarchy is gone');
  await raiseHostLimits();
  const runDir = new RunDir(options.runDir);
  await runDir.prepare();
  const flags = await readRuntimeFlags(runtime);
  const processors = await readProcessors(cgroups);
  const driver = new OciDriver({ ...options, runtime, flags, processors }, runDir, cgroups);
  if (trial) await driver.probe();
  return driver;
}

type OpenOptions = OciDriverOptions & {
  readonly runtime: RuntimeName;
  readonly flags: readonly string[];
  /** those that machines can be bound to */
  readonly processors: readonly number[];
};

/**
 * Machines as containers of an OCI runtime: separate namespaces, ids and limits, on the host's own kernel or, with runsc,
 * on gVisor's.
 */
export class OciDriver implements Driver<Socket> {
  readonly isolation: Isolation;
  /** a sandbox of gVisor keeps its name where the host's kernel does not reach */
  readonly canName: boolean;
  /** for the guard of the pool the disks are on */
  readonly mountedDisks: OciMountedDisks;
  /** shows saved disks in machines */
  readonly views: CheckpointViews;
  readonly #options: OpenOptions;
  readonly #runDir: RunDir;
  readonly #cgroups: CgroupLayout;
  readonly #runtime: Runtime;
  readonly #shared: SharedMounts;
  /** network namespace of all sockets that reach into a machine: one that shows nothing of the host; open as long as we live */
  readonly #blindNetnsFd = openEmptyNetns();
  readonly #quiescence = new DiskQuiescence();
  /** one at a time: it keeps one of libuv's few threads */
  readonly #reclaims = new FewAtOnce(1);
  /** last operation of each machine; the next waits for it */
  readonly #turns = new Turns();

  constructor(options: OpenOptions, runDir: RunDir, cgroups: CgroupLayout) {
    this.#options = options;
    this.isolation = options.runtime === 'runsc' ? 'gvisor' : 'container';
    this.canName = this.isolation === 'container';
    this.#runDir = runDir;
    this.#cgroups = cgroups;
    const { runtime: name, flags, clock, commandTimeoutMs = defaultCommandTimeoutMs } = options;
    this.#runtime = new Runtime({ name, runDir, cgroups, clock, commandTimeoutMs, flags });
    this.#shared = new SharedMounts(runDir);
    const isSupported = !this.#agentMakesSocket;
    this.views = new CheckpointViews({ runDir, images: this.#shared, clock, isSupported });
    this.mountedDisks = new OciMountedDisks(runDir, {
      isBusy: (spriteId) => this.#turns.isBusy(spriteId),
      run: (spriteId, work) => this.#turns.take(spriteId, work),
    });
  }

  /** Makes and starts a trial container. Throws `not_supported` when the runtime cannot do it here or lacks what sprites need. */
  async probe(): Promise<void> {
    const machine = this.#runDir.machine('probe');
    const firstId = this.#firstId(0);
    await this.#turns.take(machine.spriteId, async () => {
      await release(this.#releaseDeps, machine);
      try {
        const agentDir = await this.#shared.agent(this.#options.agent);
        await prepareTrial({ machine, runtime: this.#runtime.name, agentDir, firstId });
        const init = await this.#createContainer(machine);
        await this.#runtime.start(machine);
        if (!this.#agentMakesSocket) return;
        await this.#waitForAgent(machine, init, AbortSignal.timeout(probeTimeoutMs));
        const missing = await readTrial(machine, this.#blindNetnsFd);
        if (missing.length > 0) throw missingInGvisor(missing);
      } catch (cause) {
        if (cause instanceof SpriteError && cause.code === 'not_supported') throw cause;
        throw cannotRun(this.#runtime.name, cause);
      } finally {
        await release(this.#releaseDeps, machine);
      }
    });
  }

  start(spec: MachineSpec, plug: (target: PlugTarget) => Promise<void>, signal: AbortSignal): Promise<void> {
    const machine = this.#runDir.machine(spec.spriteId);
    return this.#turns.take(spec.spriteId, async () => {
      signal.throwIfAborted();
      if (await findRunning(machine)) {
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

  name({ spriteId, slot, ...given }: MachineName): Promise<void> {
    if (!this.canName)
      throw new SpriteError('not_supported', 'machines of gVisor get their name at their start');
    const machine = this.#runDir.machine(spriteId);
    return this.#turns.take(spriteId, () =>
      nameMachine({ ...given, machine, server: this.#options, firstId: this.#firstId(slot) }),
    );
  }

  stop(spriteId: string): Promise<void> {
    const machine = this.#runDir.machine(spriteId);
    return this.#turns.take(spriteId, () => release(this.#releaseDeps, machine));
  }

  freeze(spriteId: string, signal: AbortSignal): Promise<void> {
    return this.#turns.take(spriteId, async () => (await this.#running(spriteId)).freeze(signal));
  }

  thaw(spriteId: string): Promise<void> {
    const freezer = new Freezer(this.#cgroups, this.#runDir.machine(spriteId));
    return this.#turns.take(spriteId, async () => freezer.thaw());
  }

  reclaim(spriteId: string): Promise<void> {
    // not in turn: a wake must not wait for it
    return this.#reclaims.run(() =>
      new Cgroup(this.#cgroups, this.#runDir.machine(spriteId).cgroup).reclaim(),
    );
  }

  async list(): Promise<readonly RunningMachine[]> {
    const running = await listRunning(this.#runDir);
    return Promise.all(
      running.map(async ({ spriteId, incarnation }) => {
        const freezer = new Freezer(this.#cgroups, this.#runDir.machine(spriteId));
        return { spriteId, incarnation, frozen: await freezer.isFrozen() };
      }),
    );
  }

  async repair(): Promise<void> {
    await killStrayRuntimes(this.#runDir);
    for (const spriteId of await listTraces(this.#runDir, this.#cgroups)) {
      const machine = this.#runDir.machine(spriteId);
      await this.#turns.take(spriteId, async () => {
        const state = await findRunning(machine);
        // one that runs under another kernel than we say is not left running, and one of the pool is nobody's
        if (state?.isolation !== this.isolation || state.unnamed) await release(this.#releaseDeps, machine);
        // a server that was killed while it quiesced the disk left every write waiting
        else {
          await thawFileSystem(machine.disk);
          await new Freezer(this.#cgroups, machine).repair();
        }
      });
    }
    const running = await listRunning(this.#runDir);
    await this.#shared.releaseImages(new Set(running.map((state) => state.imageDigest)));
  }

  quiesce<T>(spriteId: string, work: () => Promise<T>): Promise<T> {
    const machine = this.#runDir.machine(spriteId);
    return this.#turns.take(spriteId, () => this.#quiescence.run(machine, work));
  }

  /** Stops every machine of the run directory and removes it; the driver is of no use afterwards. */
  async release(): Promise<void> {
    await killStrayRuntimes(this.#runDir);
    // first: programs that wait for one that hangs do not die
    await releaseLimitsView(this.#runDir.path);
    const traces = await listTraces(this.#runDir, this.#cgroups);
    await settleAll(...traces.map((spriteId) => this.stop(spriteId)));
    await this.#shared.releaseAll();
    await new Cgroup(this.#cgroups, this.#runDir.cgroup).remove();
    await this.#runDir.remove();
  }

  dial(spriteId: string, signal: AbortSignal): Promise<Socket> {
    const machine = this.#runDir.machine(spriteId);
    return dialAgent(spriteId, () => this.#connect(machine), signal);
  }

  connect(spriteId: string, target: PortTarget, signal: AbortSignal): Promise<Socket> {
    if (this.isolation === 'gvisor')
      throw new SpriteError('not_supported', 'ports of gvisor machines can only be reached by the agent');
    return connectPort(findRunning(this.#runDir.machine(spriteId)), target, signal);
  }

  limitMemory(spriteId: string, bytes: number): Promise<boolean> {
    return limitMemory(this.#cgroups, this.#runDir.machine(spriteId).cgroup, bytes);
  }

  publishPolicy(spriteId: string, text: string): Promise<void> {
    return writePolicy(this.#runDir.machine(spriteId), text);
  }

  async exited(spriteId: string, signal: AbortSignal): Promise<void> {
    const machine = this.#runDir.machine(spriteId);
    if (!(await findRunning(machine))) return;
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
      isolation: this.isolation,
      diskFile: spec.diskFile,
      bootId: await readBootId(),
      ...(spec.hostname === undefined ? { unnamed: true } : {}),
    };
    await mkdir(machine.path, { mode: 0o710 });
    // the machine's root must pass through, other users of the host must not
    await chown(machine.path, 0, firstId);
    await writeState(machine, state);
    const image = this.#shared.image(spec.imageDigest, spec.imageFile);
    const agentDir = this.#shared.agent(this.#options.agent);
    if (this.#agentMakesSocket) await mountSocketDir(machine, firstId);
    await settleAll(mountRoot({ spec, machine, image, firstId }), agentDir);
    const hasViews = this.views.isSupported;
    if (hasViews) await this.views.prepare(machine, { firstId });
    signal.throwIfAborted();
    const bundle = createBundle({
      spec,
      machine,
      command: createAgentCommand(
        this.#options.agent,
        this.#agentMakesSocket ? ['--listen', guestSocketPath] : [],
      ),
      agentDir: await agentDir,
      firstId,
      processors: chooseProcessors({ cpus: spec.limits.cpus, slot: spec.slot }, this.#options.processors),
      view: await this.#view(),
      socketDir: this.#agentMakesSocket ? machine.socketDir : undefined,
      hasViews,
    });
    await settleAll(
      this.#identify(spec, machine, firstId),
      makePolicyDir(machine),
      renewRandomSeed(machine.root),
      writeFile(machine.facts, describeMachine(spec, this.#options), { mode: 0o444 }),
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
    if (this.#agentMakesSocket) await this.#waitForAgent(machine, init, signal);
    // only now: a machine that a dying server never started must not pass for a running one
    await writeState(machine, { ...state, init });
    signal.throwIfAborted();
  }

  async #identify(spec: MachineSpec, machine: MachineDir, firstId: number): Promise<void> {
    await writeIdentity(machine.root, spec, firstId);
    if (spec.incarnation === 1) await dropHostKeys(machine.root, firstId);
    await keepSpareSpace(machine.disk);
  }

  async #createContainer(machine: MachineDir): Promise<ProcessIdentity> {
    if (this.#agentMakesSocket) await this.#runtime.create(machine);
    else await this.#createWithSocket(machine);
    // the machine has its own mount of it now; ours would only be copied about by other programs
    await unmount(machine.root);
    const init = identifyProcess(Number(await readFile(machine.pidFile, 'utf8')));
    if (init === undefined)
      throw new SpriteError('wake_failed', 'the machine ended before its first program');
    return init;
  }

  async #createWithSocket(machine: MachineDir): Promise<void> {
    await using socket = await listenUnix({
      path: machine.socket,
      backlog: listenBacklog,
      netnsFd: this.#blindNetnsFd,
    });
    await this.#runtime.create(machine, socket.fd);
  }

  /** gVisor has its own kernel, which shows its own limits. */
  async #view(): Promise<readonly ViewMount[]> {
    return this.isolation === 'gvisor' ? [] : ((await this.#options.view?.mounts()) ?? []);
  }

  /** runsc passes no descriptors on, so its agents make the socket in a directory they share with us. */
  get #agentMakesSocket(): boolean {
    return this.isolation === 'gvisor';
  }

  #connect(machine: MachineDir): Socket {
    return this.#agentMakesSocket
      ? connectGuestSocket(machine, this.#blindNetnsFd)
      : connectUnix(machine.socket, this.#blindNetnsFd);
  }

  #waitForAgent(machine: MachineDir, init: ProcessIdentity, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return waitForGuestSocket({ machine, netnsFd: this.#blindNetnsFd, init, clock, signal });
  }

  #firstId(slot: number): number {
    return firstIdOf(slot, this.#options.uidBase);
  }

  get #releaseDeps(): ReleaseDeps {
    return { cgroups: this.#cgroups, clock: this.#options.clock, views: this.views };
  }

  async #running(spriteId: string): Promise<Freezer> {
    const machine = this.#runDir.machine(spriteId);
    if ((await findRunning(machine)) !== undefined) return new Freezer(this.#cgroups, machine);
    throw new SpriteError('unavailable', `sprite ${spriteId} has no running machine`);
  }
}

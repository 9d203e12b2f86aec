import type { MachineSpec } from '@sprites/core';
import type { AgentRuntime } from './agent-runtime.ts';
import { guestSocketDir } from './guest-socket.ts';
import type { ViewMount } from './limits-view.ts';
import { policyMount } from './policy-file.ts';
import { capabilitiesOf } from './privileges.ts';
import type { MachineDir } from './run-dir.ts';
import { createSeccompProfile } from './seccomp.ts';

/** Host ids that stand for 0…65535 of a machine. */
export const idsPerMachine = 65_536;

const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  '/sys/fs/cgroup',
  '/sys/kernel/debug',
  '/sys/kernel/security',
  '/sys/kernel/tracing',
];

const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const cpuPeriodUs = 100_000;

export type BundleOptions = {
  readonly spec: MachineSpec;
  readonly machine: MachineDir;
  /** the machine's first program and its arguments */
  readonly command: readonly string[];
  /** host directory of the agent runtime, reachable and read-only */
  readonly agentDir: string;
  /** host id of the machine's root */
  readonly firstId: number;
  /** the only processors that the machine may use, as `0,2` */
  readonly processors?: string | undefined;
  /** what shows the machine its own limits */
  readonly view?: readonly ViewMount[];
  /** host directory in which the agent is to make its socket, where it gets none passed on */
  readonly socketDir?: string | undefined;
  /** whether saved disks are shown inside */
  readonly hasViews?: boolean;
};

const bin = '/.sprite/bin';

/** Runs and ends at once: enough to see that a container can be made. */
export const probeCommand: readonly string[] = [`${bin}/ld.so`, '--version'];

/**
 * The first program of a machine, the agent, which needs nothing of the image. As the first of its pid namespace it cannot
 * be killed from inside, and it reaps what loses its parent.
 */
export function createAgentCommand(
  agent: AgentRuntime,
  agentOptions: readonly string[] = [],
): readonly string[] {
  return createNodeCommand([...agent.args, `${bin}/agent.js`, ...agentOptions]);
}

/** The agent's Node with other arguments. */
export function createNodeCommand(args: readonly string[]): readonly string[] {
  return [`${bin}/ld.so`, '--library-path', `${bin}/lib`, `${bin}/node`, ...args];
}

/** The OCI runtime's `config.json` of a machine. */
export function createBundle(options: BundleOptions): object {
  const { spec, machine, command, firstId } = options;
  const { privileges = {} } = spec;
  const capabilities = capabilitiesOf(privileges);
  const ids = [{ containerID: 0, hostID: firstId, size: idsPerMachine }];
  return {
    ociVersion: '1.0.2',
    hostname: spec.hostname ?? 'sprite',
    root: { path: machine.root, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: command,
      env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/root',
        'LANG=C.UTF-8',
      ],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      // sudo and ping must be able to gain rights inside, unless the sprite's policy says otherwise
      noNewPrivileges: privileges.noNewPrivileges ?? false,
    },
    mounts: createMounts(options),
    linux: {
      namespaces: ['user', 'pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      uidMappings: ids,
      gidMappings: ids,
      cgroupsPath: machine.cgroup,
      resources: createResources(spec, options.processors),
      seccomp: createSeccompProfile(),
      maskedPaths,
      readonlyPaths,
    },
  };
}

function createResources(spec: MachineSpec, cpus: string | undefined): object {
  return {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: spec.limits.memoryBytes },
    cpu: {
      quota: Math.max(1000, Math.round(spec.limits.cpus * cpuPeriodUs)),
      period: cpuPeriodUs,
      ...(cpus === undefined ? {} : { cpus }),
    },
    pids: { limit: spec.limits.maxProcesses },
  };
}

function createMounts({
  spec,
  machine,
  agentDir,
  socketDir,
  hasViews = false,
  view = [],
}: BundleOptions): readonly object[] {
  const mount = (destination: string, type: string, ...options: readonly string[]): object => ({
    destination,
    type,
    source: type,
    options,
  });
  const bind = (destination: string, source: string, ...options: readonly string[]): object => ({
    destination,
    type: 'bind',
    source,
    options: ['bind', 'nosuid', 'nodev', ...options],
  });
  const shmBytes = Math.floor(spec.limits.memoryBytes / 2);
  return [
    mount('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=1m'),
    mount('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
    mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmBytes}`),
    mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    mount('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
    // the agent's socket is made here; only root can write
    mount('/.sprite', 'tmpfs', 'nosuid', 'nodev', 'noexec', 'mode=755', 'size=1m'),
    bind('/.sprite/bin', agentDir, 'ro'),
    bind('/.sprite/machine.json', machine.facts, 'ro', 'noexec'),
    bind(policyMount, machine.policyDir, 'ro', 'noexec'),
    // what the host mounts there appears inside
    ...(hasViews ? [bind('/.sprite/checkpoints', machine.checkpoints, 'ro', 'rslave')] : []),
    ...view.map(({ source, destination }) => bind(destination, source, 'ro', 'noexec')),
    ...(socketDir === undefined ? [] : [bind(guestSocketDir, socketDir, 'noexec')]),
  ];
}

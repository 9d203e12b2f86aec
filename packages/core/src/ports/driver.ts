import type { PrivilegesPolicy } from '@sprites/contract';

/** Takes what comes of a stream in memory of its own, so that nothing is made for each read. */
export type ByteReader = {
  /** memory for the next read */
  readonly memory: () => Uint8Array;
  /** Takes the first `length` bytes of that memory. */
  readonly take: (length: number) => void;
};

/** A TCP port on the loopback of a machine. */
export type PortTarget = {
  readonly port: number;
  /** gets what comes, in place of the stream's listeners; its end comes by the stream */
  readonly reader?: ByteReader;
};

/** What a machine may use of the host. */
export type MachineLimits = {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly maxProcesses: number;
};

/** Everything needed to boot one run of a sprite. */
export type MachineSpec = {
  /** the sprite's id; a sprite has at most one machine */
  readonly spriteId: string;
  /** how many times this sprite has booted, from 1 */
  readonly incarnation: number;
  /** undefined for a machine of the pool, which gets its name by `name` */
  readonly hostname: string | undefined;
  /** small number, unique among this server's sprites for as long as the sprite exists; picks uid range and address */
  readonly slot: number;
  /** absolute host path of the disk's image file */
  readonly diskFile: string;
  /** absolute host path of the base image file */
  readonly imageFile: string;
  readonly imageDigest: string;
  readonly limits: MachineLimits;
  /** the sprite's own variables, under every exec's */
  readonly environment: Readonly<Record<string, string>>;
  /** what root may do inside; the usual unless given */
  readonly privileges?: PrivilegesPolicy | undefined;
  /** lines of /etc/resolv.conf */
  readonly resolvConf: string;
};

/** What a machine of the pool is told of the sprite that it becomes. */
export type MachineName = Required<Pick<MachineSpec, 'spriteId' | 'slot' | 'environment'>> & {
  readonly hostname: string;
};

/** Where a network interface must be put before the machine's first program runs. */
export type PlugTarget = { readonly type: 'pid'; readonly pid: number };

/** How strongly machines are separated from the host; never more than is true. */
export type Isolation = 'container' | 'gvisor' | 'microvm' | 'emulated';

/** A machine found on the host. */
export type RunningMachine = {
  readonly spriteId: string;
  readonly incarnation: number;
  /** true while its programs are frozen */
  readonly frozen: boolean;
};

/** A byte stream to the agent in a machine; what it is made of is the server's affair. */
export interface Destroyable {
  destroy(error?: Error): void;
}

/** Turns a disk and an image into a running machine. */
export interface Driver<Stream extends Destroyable = Destroyable> {
  readonly isolation: Isolation;
  /**
   * Boots the machine and resolves as soon as `dial` can be called; the agent may still be starting.
   * `plug` is called once, when the machine's network namespace exists and before anything runs in it.
   * On failure or abort nothing of the machine is left.
   */
  start(spec: MachineSpec, plug: (target: PlugTarget) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** false when machines of this driver can only be started with their name */
  readonly canName: boolean;
  /**
   * Gives a machine that was started without a name its name and variables. Once this resolves it is like one that was
   * started with them. Throws `unavailable` when there is no running machine without a name, `not_supported`.
   */
  name(machine: MachineName): Promise<void>;
  /** Ends the machine if there is one and releases everything it held on the host: processes, mounts, loops, cgroups. */
  stop(spriteId: string): Promise<void>;
  /**
   * Stops the programs of a running machine where they are, with all their memory; they can still be stopped for good.
   * Rejects, and they go on, when there is no machine, when they do not stand still soon, or when the signal aborts.
   */
  freeze(spriteId: string, signal: AbortSignal): Promise<void>;
  /** Lets the programs of a frozen machine go on exactly where they were; nothing happens when they run. Rejects without a machine. */
  thaw(spriteId: string): Promise<void>;
  /** Moves what it can of a frozen machine's memory to the host's swap, as far as the host has some; it comes back as it is used. */
  reclaim(spriteId: string): Promise<void>;
  /**
   * Limits the memory of a machine, if there is one, at once; false, and the limit stays, when its programs use more than
   * that and will not give it back.
   */
  limitMemory(spriteId: string, bytes: number): Promise<boolean>;
  /** Shows the text inside a machine, if there is one, as `/.sprite/policy/network.json`. */
  publishPolicy(spriteId: string, text: string): Promise<void>;
  /** Machines alive on this host, also those an earlier server process started. */
  list(): Promise<readonly RunningMachine[]>;
  /**
   * For start-up: releases what dead machines left behind (mounts, loops, cgroups, directories) and ends those without a
   * name, which only the server that started them knows. The others are not touched, except that those a dying server had
   * half frozen go on.
   */
  repair(): Promise<void>;
  /**
   * Runs `work` while the disk of a running machine stands still with everything synced on it; the programs go on and
   * only writes wait, for 10 seconds at most: after that they go on and this rejects. Just runs `work` when there is no
   * machine.
   */
  quiesce<T>(spriteId: string, work: () => Promise<T>): Promise<T>;
  /** Opens a byte stream to the agent of a running machine; rejects when there is none. */
  dial(spriteId: string, signal: AbortSignal): Promise<Stream>;
  /**
   * Opens a byte stream to a TCP port on the loopback of a running machine. Throws `port_unreachable` when nothing listens
   * there or there is no machine, `not_supported` where machines keep their loopback to themselves.
   */
  connect(spriteId: string, target: PortTarget, signal: AbortSignal): Promise<Stream>;
  /** Resolves when the machine has ended by itself or by stop. */
  exited(spriteId: string, signal: AbortSignal): Promise<void>;
}

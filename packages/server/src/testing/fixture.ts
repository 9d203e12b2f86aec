import { type NetworkPolicy, SpriteError } from '@sprites/contract';
import {
  type Agents,
  Changes,
  type Checksum,
  type Checksums,
  type CreateDeps,
  type DiskStorage,
  type Disks,
  type DnsVolume,
  Events,
  ensureOrg,
  type Image,
  InsideCheckpoints,
  Lifecycle,
  MachinePool,
  type Network,
  Operations,
  type OrgRecord,
  type PlugTarget,
  Policies,
  type PoolDeps,
  type Quiet,
  type Settings,
  Storage,
  type Tenant,
  type Traffic,
  type Verification,
  Verifier,
} from '@sprites/core';
import { MemoryDriver } from '@sprites/drivers/memory';
import { MemoryStore } from '@sprites/store/memory';
import { onTestFinished } from 'vitest';
import { systemClock } from '../system-clock.ts';

export const settings: Settings = {
  version: '1.2.3',
  defaultImage: 'minimal',
  cpus: 2,
  memoryMb: 1024,
  storageGb: 10,
  maxProcesses: 512,
  maxSprites: 5,
  readyMachines: 0,
  wakeTimeoutMs: 200,
  warmAfterS: 30,
  autoCheckpoints: { everyS: 'off', keepHourly: 24, keepDaily: 7 },
  coldAfterS: 600,
  memoryReserveBytes: 0,
  reclaimWarm: false,
  capacityWaitMs: 0,
};

const image: Image = {
  name: 'minimal',
  digest: 'sha256:aa',
  file: '/image',
  sizeBytes: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
};

/** Disks that are nothing but a text each, with saved ones beside them. */
export class MemoryDisks implements Disks {
  /** what each disk holds; a test writes here what a program in the sprite would */
  readonly contents = new Map<string, string>();
  readonly saved = new Map<string, string>();
  /** whether there is no room for another disk */
  full = false;

  get ids(): ReadonlySet<string> {
    return new Set(this.contents.keys());
  }

  async create(id: string): Promise<void> {
    this.contents.set(id, '');
  }

  async remove(id: string): Promise<void> {
    this.contents.delete(id);
    for (const checkpointId of await this.listCheckpoints(id)) await this.removeCheckpoint(id, checkpointId);
  }

  async list(): Promise<readonly string[]> {
    return [...this.contents.keys()];
  }

  file(id: string): string {
    return `/disks/${id}`;
  }

  async usage(): Promise<{ usedBytes: number; ownBytes: number }> {
    return { usedBytes: 0, ownBytes: 0 };
  }

  async saveCheckpoint(id: string, checkpointId: string, quiet: Quiet = (clone) => clone()): Promise<void> {
    await quiet(async () => {
      this.saved.set(`${id}/${checkpointId}`, this.#read(id));
    });
  }

  async restoreCheckpoint(id: string, checkpointId: string): Promise<void> {
    const content = this.saved.get(`${id}/${checkpointId}`);
    if (content === undefined) throw new Error(`no ${checkpointId} of ${id}`);
    this.contents.set(id, content);
  }

  async fork(
    fromId: string,
    checkpointId: string | undefined,
    toId: string,
    quiet: Quiet = (clone) => clone(),
  ): Promise<void> {
    await quiet(async () => {
      const saved = this.saved.get(`${fromId}/${checkpointId}`);
      this.contents.set(toId, checkpointId === undefined ? this.#read(fromId) : (saved ?? ''));
    });
  }

  async removeCheckpoint(id: string, checkpointId: string): Promise<void> {
    this.saved.delete(`${id}/${checkpointId}`);
  }

  async listCheckpoints(id: string): Promise<readonly string[]> {
    const prefix = `${id}/`;
    const keys = [...this.saved.keys()].filter((key) => key.startsWith(prefix));
    return keys.map((key) => key.slice(prefix.length));
  }

  async hasChangedSince(id: string, checkpointId: string): Promise<boolean> {
    return this.contents.get(id) !== this.saved.get(`${id}/${checkpointId}`);
  }

  async measure(id: string): Promise<DiskStorage> {
    const usage = { usedBytes: this.#read(id).length, ownBytes: 0 };
    const checkpoints = (await this.listCheckpoints(id)).map((one) => ({
      id: one,
      usedBytes: this.saved.get(`${id}/${one}`)?.length ?? 0,
      ownBytes: 0,
    }));
    return { disk: usage, checkpoints, checkpointsBytes: 0 };
  }

  async has(id: string): Promise<boolean> {
    return this.contents.has(id);
  }

  async inspect(id: string): Promise<string> {
    return this.contents.has(id) ? '' : 'its disk is missing';
  }

  async inspectCheckpoint(id: string, checkpointId: string): Promise<string> {
    return this.saved.has(`${id}/${checkpointId}`) ? '' : 'its disk is missing';
  }

  async checkpointFile(id: string, checkpointId: string): Promise<string> {
    return `/checkpoints/${id}/${checkpointId}`;
  }

  async checkpointUsage(): Promise<{ usedBytes: number; ownBytes: number }> {
    return { usedBytes: 0, ownBytes: 0 };
  }

  async ensureSpace(): Promise<void> {
    if (this.full) throw new SpriteError('out_of_space', 'the pool is full');
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return { freeBytes: 1, totalBytes: 2 };
  }

  #read(id: string): string {
    const content = this.contents.get(id);
    if (content === undefined) throw new Error(`no disk ${id}`);
    return content;
  }
}

/** Agents that answer at once and have nothing to do. */
const idleAgents: Agents = {
  health: async () => ({ version: '1.2.3' }),
  activity: async () => ({ holds: [], lastActiveMs: 0 }),
  restorePaths: async (_, { paths }) => ({ restored: paths.length, removed: 0 }),
};

/** Checksums of such disks: their content itself. */
class MemoryChecksums implements Checksums {
  readonly #saved: MemoryDisks['saved'];

  constructor({ saved }: MemoryDisks) {
    this.#saved = saved;
  }

  async make(diskId: string, checkpointId: string): Promise<Checksum> {
    const root = this.#saved.get(`${diskId}/${checkpointId}`);
    if (root === undefined) throw new SpriteError('checkpoint_not_found', `no ${checkpointId}`);
    return { root, sizeBytes: root.length, readBytes: root.length };
  }

  async verify(diskId: string, { id, root }: { id: string; root: string }): Promise<Verification> {
    const found = this.#saved.get(`${diskId}/${id}`);
    const health = found === undefined ? 'its disk is missing' : found === root ? '' : 'wrong checksum';
    return { health, sizeBytes: root.length, readBytes: root.length };
  }
}

/** A network that notes which slots are plugged. */
export class MemoryNetwork implements Network {
  readonly capacity = 100;
  readonly plugged = new Set<number>();
  /** what holds for each plugged slot */
  readonly tenants = new Map<number, Tenant>();

  resolvConf(): string {
    return 'nameserver 192.0.2.1\n';
  }

  async plug(slot: number, _target: PlugTarget, tenant: Tenant): Promise<void> {
    this.plugged.add(slot);
    this.tenants.set(slot, tenant);
  }

  async restrict(slot: number, policy: NetworkPolicy): Promise<void> {
    const tenant = this.tenants.get(slot);
    if (tenant !== undefined) this.tenants.set(slot, { ...tenant, policy });
  }

  observe(): void {}

  async traffic(): Promise<Traffic> {
    return { sentBytes: new Map(), receivedBytes: new Map(), refused: [] };
  }

  dnsVolume(): DnsVolume {
    return { queries: 0, limited: 0, queryBytes: 0, answerBytes: 0 };
  }

  async unplug(slot: number): Promise<void> {
    this.plugged.delete(slot);
    this.tenants.delete(slot);
  }

  async repair(tenants: ReadonlyMap<number, Tenant>): Promise<void> {
    for (const slot of this.plugged) if (!tenants.has(slot)) this.plugged.delete(slot);
  }
}

/** The core on implementations in memory, with one org. */
export type Fixture = {
  readonly deps: CreateDeps & { readonly driver: MemoryDriver; readonly store: MemoryStore };
  readonly disks: MemoryDisks;
  readonly network: MemoryNetwork;
  readonly org: OrgRecord;
  readonly signal: AbortSignal;
};

/** Makes the core of a server for one test; with `base`, one that finds what another left. */
export async function fixture(
  change: Partial<Settings> = {},
  base: Partial<Pick<PoolDeps, 'clock' | 'memory'>> & {
    readonly agents?: Partial<Agents>;
    readonly driver?: MemoryDriver;
    readonly left?: Fixture;
  } = {},
): Promise<Fixture> {
  const driver = base.driver ?? base.left?.deps.driver ?? new MemoryDriver();
  const store = base.left?.deps.store ?? new MemoryStore();
  const disks = base.left?.disks ?? new MemoryDisks();
  const network = base.left?.network ?? new MemoryNetwork();
  const ignore = (): void => {};
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const core = {
    store,
    disks,
    images: {
      find: async (name: string) => ([image.name, image.digest].includes(name) ? image : undefined),
      list: async () => [image],
    },
    driver,
    network,
    policies: new Policies({ store, network, driver, settings }),
    agents: { ...idleAgents, ...base.agents },
    clock: base.clock ?? systemClock,
    changes: new Changes(),
    events: new Events({ store, clock: systemClock, log }),
    settings: { ...settings, ...change },
    log,
  };
  const lifecycle = new Lifecycle(core);
  onTestFinished(() => lifecycle.close());
  const memory = base.memory ?? (async () => ({ availableBytes: 2 ** 34, totalBytes: 2 ** 34 }));
  const pool = new MachinePool({ ...core, lifecycle, memory });
  onTestFinished(() => pool.close());
  const org = await ensureOrg({ store, clock: systemClock }, 'personal');
  const signal = new AbortController().signal;
  const verifier = new Verifier({ ...core, checksums: new MemoryChecksums(disks) });
  onTestFinished(() => verifier.close());
  const insideViews = { isSupported: false, show: async () => {} };
  const inside = new InsideCheckpoints({ ...core, insideViews });
  return {
    deps: {
      ...core,
      lifecycle,
      pool,
      operations: new Operations(lifecycle),
      verifier,
      storage: new Storage(core),
      inside,
    },
    disks,
    network,
    org,
    signal,
  };
}

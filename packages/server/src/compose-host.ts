import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { bundlePath, nodeFlags } from '@sprites/agent';
import type { HostInfo } from '@sprites/contract';
import { ArchiveFiles } from '@sprites/disks/archive';
import { type ImageLibrary, openImages } from '@sprites/disks/images';
import { lockDataDir, openReflinkDisks, type ReflinkDisks, releasePool } from '@sprites/disks/reflink';
import { ReflinkDiskViews } from '@sprites/disks/views';
import {
  createAgentRuntime,
  LimitsView,
  type OciDriver,
  openOciDriver,
  runDirOf,
} from '@sprites/drivers/oci';
import { type LinuxNetwork, openNetwork } from '@sprites/network';
import { insideFiles } from '@sprites/sprite-env';
import type { Config } from './config/config.ts';
import type { Logger } from './log.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

/** What this host gives a server: disks, images, machines and their network, open together. */
export type Host = AsyncDisposable & {
  readonly disks: ReflinkDisks;
  readonly views: ReflinkDiskViews;
  readonly archives: ArchiveFiles;
  readonly images: ImageLibrary;
  readonly driver: OciDriver;
  readonly network: LinuxNetwork;
  /** how many sprites have host uids of their own */
  readonly uidCapacity: number;
  info(): Promise<HostInfo>;
  /** Stops all machines and releases everything that is held of the host; the data stays. */
  release(): Promise<void>;
};

export type HostOptions = {
  readonly config: Config;
  /** real path of the data directory */
  readonly dataDir: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** false when sprites will only be stopped */
  readonly starting: boolean;
};

/** Opens what the server needs of this host. Throws with the remedy when another server has it or something is missing. */
export async function openHost({ config, dataDir, log, signal, starting }: HostOptions): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  stack.use(await lockDataDir(dataDir));
  const poolSizeBytes = config.poolGb === undefined ? undefined : config.poolGb * 1024 ** 3;
  const plainLog = { info: (message: string) => log.info({}, message) };
  const reserveBytes = config.poolReserveMb === undefined ? undefined : config.poolReserveMb * 1024 ** 2;
  const disks = await openReflinkDisks({ dataDir, signal, poolSizeBytes, reserveBytes, log: plainLog });
  const images = await openImages({ dataDir, imagesDir: config.imagesDir, signal, log: plainLog });
  const agent = await createAgentRuntime({
    dataDir,
    nodeBinary: process.execPath,
    agentBundle: bundlePath,
    agentArgs: nodeFlags,
    insideFiles,
  });
  const runDir = await runDirOf(dataDir);
  const view = new LimitsView({ runDir, clock: systemClock, log });
  stack.defer(() => view.close());
  if (starting && config.limitsView) await view.open();
  const driver = await openOciDriver({
    runDir,
    view,
    agent,
    runtime: config.runtime,
    version,
    clock: systemClock,
    // a wake tells why it failed only when its own time is not over then
    commandTimeoutMs: Math.min(30_000, config.wakeTimeoutS * 800),
    uidBase: config.uidBase,
    trial: starting,
    agentSettings: {
      tty_exit_close_code: config.ttyExitCloseCode,
      control_for_go: config.controlForGo,
    },
  });
  const network = await openNetwork({
    range: config.network,
    instance: instanceOf(dataDir),
    stateDir: join(dataDir, 'network'),
    allow: config.networkAllow,
    upstreams: config.dnsUpstreams,
    byDefault: config.egressDefault,
    queriesPerSecond: config.dnsQueriesPerS,
    signal,
    log,
  });
  stack.defer(() => network.close());
  const resources = stack.move();
  return {
    disks,
    views: new ReflinkDiskViews(disks),
    archives: new ArchiveFiles(disks),
    images,
    driver,
    network,
    uidCapacity: Math.floor((2 ** 32 - 1 - config.uidBase) / 65_536),
    info: () => describe(config, { disks, images, driver }),
    release: async () => {
      for (const { spriteId } of await driver.list()) await driver.stop(spriteId);
      await driver.release();
      await network.release();
      await releasePool(dataDir);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Eight hex digits by which things of this server are known in the kernel. */
function instanceOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
}

async function describe(
  config: Config,
  { disks, images, driver }: Pick<Host, 'disks' | 'images' | 'driver'>,
): Promise<HostInfo> {
  const space = await disks.space();
  const installed = await images.list();
  return {
    version,
    isolation: driver.isolation,
    runtime: config.runtime,
    pool: { kind: disks.kind, free_bytes: space.freeBytes, total_bytes: space.totalBytes },
    images: installed.map(({ name, digest, createdAt }) => ({ name, digest, created_at: createdAt })),
    limits: { cpus: config.cpus, memory_mb: config.memoryMb, storage_gb: config.diskGb },
  };
}

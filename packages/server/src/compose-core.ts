import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import {
  Changes,
  EgressLog,
  Events,
  type HostMemory,
  Lifecycle,
  type LifecycleDeps,
  MachinePool,
  Policies,
  type Settings,
  type Store,
} from '@sprites/core';
import { DialAgents } from './agents/dial-agents.ts';
import type { Host } from './compose-host.ts';
import type { Config } from './config/config.ts';
import type { Logger } from './log.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

/** What a sprite is and what may happen to it, on what this host gives. */
export type Core = {
  readonly deps: LifecycleDeps;
  readonly lifecycle: Lifecycle;
  readonly pool: MachinePool;
  readonly egressLog: EgressLog;
  /** memory of the host */
  readonly memory: () => Promise<HostMemory>;
};

/** Puts the core together; nothing happens yet. */
export function createCore(
  config: Config,
  host: Host,
  { store, log }: { readonly store: Store; readonly log: Logger },
): Core {
  const settings: Settings = {
    version,
    defaultImage: config.image,
    cpus: config.cpus,
    memoryMb: config.memoryMb,
    storageGb: config.diskGb,
    maxProcesses: config.maxProcesses,
    maxSprites: Math.min(config.maxSprites, host.uidCapacity),
    readyMachines: config.readyMachines,
    wakeTimeoutMs: config.wakeTimeoutS * 1000,
    autoCheckpoints: {
      everyS: config.autoCheckpoints,
      keepHourly: config.autoKeepHourly,
      keepDaily: config.autoKeepDaily,
    },
    warmAfterS: config.warmAfterS,
    coldAfterS: config.coldAfterS,
    memoryReserveBytes: config.memoryReserveMb * 1024 ** 2,
    reclaimWarm: config.reclaimWarm === 'auto' && hasSwap(),
    capacityWaitMs: 25_000,
  };
  const deps: LifecycleDeps = {
    store,
    disks: host.disks,
    images: host.images,
    driver: host.driver,
    network: host.network,
    policies: new Policies({ store, network: host.network, driver: host.driver, settings }),
    agents: new DialAgents(host.driver),
    clock: systemClock,
    changes: new Changes(),
    events: new Events({ store, clock: systemClock, log }),
    settings,
    log,
  };
  const lifecycle = new Lifecycle(deps);
  const memory = async (): Promise<HostMemory> => ({ availableBytes: freemem(), totalBytes: totalmem() });
  const egressLog = new EgressLog(deps);
  host.network.observe((decision) => egressLog.note(decision));
  return { deps, lifecycle, memory, egressLog, pool: new MachinePool({ ...deps, lifecycle, memory }) };
}

/** True when the host can put memory somewhere; a line of `/proc/swaps` is a heading. */
function hasSwap(): boolean {
  return readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;
}

import {
  AutomaticCheckpoints,
  type CheckpointDeps,
  DiskWatch,
  Storage,
  Verifier,
  VerifySchedule,
} from '@sprites/core';
import type { Host } from './compose-host.ts';
import type { Config } from './config/config.ts';
import type { Metrics } from './metrics.ts';
import { addStorageMetrics } from './storage-metrics.ts';

/** What looks after checkpoints behind the requests. */
export type Care = AsyncDisposable & { readonly deps: CheckpointDeps };

type CareDeps = Omit<CheckpointDeps, 'verifier' | 'storage'>;

/** Opens what looks after the checkpoints of a server; everything must have been repaired. */
export function openCare(config: Config, host: Host, core: CareDeps, metrics: Metrics): Care {
  const { checksums } = host.disks;
  checksums.giveWay(() => core.lifecycle.isWaking);
  const verifier = new Verifier({ ...core, checksums });
  verifier.observe(({ type, health, readBytes }) => {
    metrics.checksums.inc({ type, result: health === '' ? 'good' : 'damaged' });
    metrics.checksumBytes.inc(readBytes);
  });
  const schedule = new VerifySchedule({ ...core, verifier, plan: config.verify });
  const storage = new Storage(core);
  const deps: CheckpointDeps = { ...core, verifier, storage };
  const automatic = new AutomaticCheckpoints(deps);
  verifier.noteNew();
  schedule.open();
  automatic.open();
  storage.open();
  const watch = new DiskWatch({ ...core, mounted: host.driver.mountedDisks });
  watch.open();
  addStorageMetrics(metrics.registry, {
    sprites: () => storage.all(),
    pool: () => host.disks.space(),
  });
  return {
    deps,
    [Symbol.asyncDispose]: async () => {
      const closing = [verifier.close(), schedule.close(), automatic.close(), storage.close(), watch.close()];
      // what they wait for may take long
      await host.disks.close();
      await Promise.all(closing);
    },
  };
}

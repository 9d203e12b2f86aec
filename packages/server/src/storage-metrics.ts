import type { DiskStorage } from '@sprites/core';
import { Gauge, type Registry } from 'prom-client';

/** Where sizes come from whenever metrics are read. */
export type StorageSources = {
  readonly sprites: () => Iterable<readonly [string, DiskStorage]>;
  readonly pool: () => Promise<{
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly reserveBytes: number;
  }>;
};

/** Adds what disks, checkpoints and their pool cost to the metrics. */
export function addStorageMetrics(registry: Registry, sources: StorageSources): void {
  const registers = [registry];
  const storage: Gauge<'sprite' | 'kind'> = new Gauge({
    name: 'sprites_storage_bytes',
    help: 'Bytes of the pool by sprite id: what its disk holds, what only its disk holds, what its checkpoints add',
    labelNames: ['sprite', 'kind'],
    registers,
    collect: () => {
      // those that are gone must not stay
      storage.reset();
      for (const [sprite, { disk, checkpointsBytes }] of sources.sprites()) {
        storage.set({ sprite, kind: 'used' }, disk.usedBytes);
        storage.set({ sprite, kind: 'own' }, disk.ownBytes);
        storage.set({ sprite, kind: 'checkpoints' }, checkpointsBytes);
      }
    },
  });
  const pool: Gauge<'kind'> = new Gauge({
    name: 'sprites_pool_bytes',
    help: 'Bytes of the disk pool: free, total, and kept in reserve',
    labelNames: ['kind'],
    registers,
    collect: async () => {
      const { freeBytes, totalBytes, reserveBytes } = await sources.pool();
      pool.set({ kind: 'free' }, freeBytes);
      pool.set({ kind: 'total' }, totalBytes);
      pool.set({ kind: 'reserve' }, reserveBytes);
    },
  });
}

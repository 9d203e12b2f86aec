import type { Store } from '@sprites/core';
import { PoolGuard } from '@sprites/disks/guard';
import type { Host } from './compose-host.ts';
import type { Logger } from './log.ts';
import { systemClock } from './system-clock.ts';

const largestCount = 5;

/** Opens the guard of the host's disk pool; it calls sprites by their names. */
export function openPoolGuard({ disks, driver }: Host, store: Store, log: Logger): PoolGuard {
  const guard = new PoolGuard({
    mounted: driver.mountedDisks,
    space: () => disks.space(),
    largest: async () => {
      const found = await disks.largest(largestCount);
      return Promise.all(
        found.map(async ({ id, usedBytes }) => ({
          sprite: (await store.findSpriteById(id))?.name ?? id,
          used_mb: Math.round(usedBytes / 1024 ** 2),
        })),
      );
    },
    clock: systemClock,
    log,
  });
  guard.open();
  return guard;
}

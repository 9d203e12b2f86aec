import type { Events, Log, Store } from '@sprites/core';
import { PoolGuard } from '@sprites/disks/guard';
import type { Host } from './compose-host.ts';
import { systemClock } from './system-clock.ts';

const largestCount = 5;

type GuardDeps = { readonly store: Store; readonly events: Events; readonly log: Log };

/** Opens the guard of the host's disk pool; it calls sprites by their names, and tells them in their history. */
export function openPoolGuard({ disks, driver }: Host, { store, events, log }: GuardDeps): PoolGuard {
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
    tell: (spriteId, message) => events.record(spriteId, { type: 'warning', message }),
    clock: systemClock,
    log,
  });
  guard.open();
  return guard;
}

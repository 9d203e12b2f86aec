import { undoRestore } from '../checkpoints/replace.ts';
import type { RunningMachine } from '../ports/driver.ts';
import type { SpriteRecord } from '../ports/store.ts';
import type { Lifecycle, LifecycleDeps } from './lifecycle.ts';

/** What start-up found and mended. */
export type Repairs = {
  readonly adopted: number;
  readonly stopped: number;
  readonly erased: number;
  readonly orphanDisks: number;
  readonly restoresUndone: number;
};

/**
 * Makes the world agree with the store after any end of the last server: running machines are taken over, machines
 * nobody knows are stopped, half-done deletions are finished, disks without a sprite are removed.
 */
export async function reconcile(deps: LifecycleDeps, lifecycle: Lifecycle): Promise<Repairs> {
  await deps.driver.repair();
  const restoresUndone = await undoRestores(deps);
  const sprites = await deps.store.listAllSprites();
  const byId = new Map(sprites.map((sprite) => [sprite.id, sprite]));
  const alive = new Map((await deps.driver.list()).map((machine) => [machine.spriteId, machine]));
  const keep = sprites.filter((sprite) => sprite.deletedAt === undefined && alive.has(sprite.id));
  await deps.policies.repair(keep);

  // the driver ended them, as they had no name; what became a sprite is no longer among them
  for (const { id } of await deps.store.listPooled()) await deps.store.removePooled(id);

  let stopped = 0;
  for (const spriteId of alive.keys()) {
    if (byId.has(spriteId)) continue;
    await deps.driver.stop(spriteId);
    stopped++;
  }
  for (const sprite of keep) await adopt(deps, lifecycle, sprite, alive.get(sprite.id));
  const deleted = sprites.filter((sprite) => sprite.deletedAt !== undefined);
  for (const sprite of deleted) await lifecycle.erase(sprite);
  for (const sprite of sprites) {
    if (sprite.deletedAt !== undefined || alive.has(sprite.id) || sprite.status === 'cold') continue;
    await noteEnd(deps, sprite);
  }
  const orphans = (await deps.disks.list()).filter((id) => !byId.has(id));
  for (const id of orphans) await deps.disks.remove(id);
  for (const sprite of sprites) if (sprite.deletedAt === undefined) await mendCheckpoints(deps, sprite);
  return {
    adopted: keep.length,
    stopped,
    erased: deleted.length,
    orphanDisks: orphans.length,
    restoresUndone,
  };
}

/**
 * A restore that was not answered for did not happen: its sprite gets the disk from before. Where that fails, the next
 * use of the sprite tries again; the others are served.
 */
async function undoRestores(deps: LifecycleDeps): Promise<number> {
  const restoring = (await deps.store.listAllSprites()).filter((sprite) => sprite.restoring !== undefined);
  let undone = 0;
  for (const sprite of restoring) {
    await deps.driver.stop(sprite.id);
    try {
      await undoRestore(deps, sprite);
      undone++;
    } catch (error) {
      deps.log.error(
        { err: error, sprite: sprite.name },
        'the disk from before a restore is not back in place',
      );
    }
  }
  return undone;
}

/** Removes saved disks that no record names, and marks records whose saved disk is gone. */
async function mendCheckpoints(deps: LifecycleDeps, sprite: SpriteRecord): Promise<void> {
  const saved = new Set(await deps.disks.listCheckpoints(sprite.id));
  const records = await deps.store.listCheckpoints(sprite.id);
  for (const { id, health } of records) {
    if (!saved.has(id) && health === '')
      await deps.store.setCheckpointHealth(sprite.id, id, 'its disk is missing');
    saved.delete(id);
  }
  for (const id of saved) await deps.disks.removeCheckpoint(sprite.id, id);
}

async function adopt(
  deps: LifecycleDeps,
  lifecycle: Lifecycle,
  sprite: SpriteRecord,
  machine: RunningMachine | undefined,
): Promise<void> {
  if (machine === undefined) return;
  const status = machine.frozen ? 'warm' : 'running';
  const isKnown = sprite.status === status && sprite.incarnation === machine.incarnation;
  const stateSince = sprite.status === status ? sprite.stateSince : new Date(deps.clock.now()).toISOString();
  const patch = { status, incarnation: machine.incarnation, stateSince } as const;
  const current = isKnown ? sprite : await deps.store.updateSprite(sprite.id, patch);
  lifecycle.adopt(current ?? sprite, status);
}

/** Its machine ended while no server looked: with the host, or by itself. */
async function noteEnd(deps: LifecycleDeps, sprite: SpriteRecord): Promise<void> {
  const cause = 'its machine ended while the server was away';
  await deps.store.updateSprite(sprite.id, {
    status: 'cold',
    stateSince: new Date(deps.clock.now()).toISOString(),
    lastSleep: { kind: 'cold', cause },
  });
  deps.events.record(sprite.id, {
    type: 'slept',
    message: `stopped: ${cause}`,
    details: { to: 'cold', cause },
  });
}

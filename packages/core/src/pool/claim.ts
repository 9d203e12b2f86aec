import type { SpriteRecord } from '../ports/store.ts';
import type { SpriteDeps } from '../sprites/deps.ts';
import { effectiveConfig } from '../sprites/effective-config.ts';
import type { MachinePool, PooledMachine } from './machine-pool.ts';

export type ClaimDeps = SpriteDeps & { readonly pool: MachinePool };

/**
 * Makes the sprite of a machine that is ready, with its id, slot and disk; undefined when none is like it. The sprite runs
 * when this resolves; should its machine have died meanwhile it is cold. Throws `sprite_already_exists`.
 */
export async function claimMachine(
  deps: ClaimDeps,
  record: Omit<SpriteRecord, 'slot'>,
): Promise<SpriteRecord | undefined> {
  const config = effectiveConfig(deps.settings, record.config);
  const machine = deps.pool.take({ imageDigest: record.imageDigest, config });
  if (machine === undefined) return undefined;
  // requests for the sprite wait until its machine is named
  return deps.lifecycle.exclusively(machine.id, async (control) => {
    const sprite = await insert(deps, record, machine);
    if (sprite === undefined) return undefined;
    try {
      const { id: spriteId, slot, name: hostname, environment } = sprite;
      await deps.driver.name({ spriteId, slot, hostname, environment });
    } catch (error) {
      deps.log.warn({ err: error, sprite: sprite.name }, 'the machine from the pool is of no use');
      await control.stop();
      return deps.store.findSpriteById(sprite.id);
    }
    deps.lifecycle.adopt(sprite);
    return sprite;
  });
}

async function insert(
  { store, pool, clock }: ClaimDeps,
  record: Omit<SpriteRecord, 'slot'>,
  machine: PooledMachine,
): Promise<SpriteRecord | undefined> {
  const now = new Date(clock.now()).toISOString();
  try {
    return await store.claimPooled({
      ...record,
      id: machine.id,
      // a server that dies before the machine has its name finds none of this sprite, and it is cold
      status: 'running',
      incarnation: 1,
      lastStartedAt: now,
      lastRunningAt: now,
      lastActiveAt: now,
    });
  } catch (error) {
    // a store that cannot say whose it is keeps it for the next start
    const owner = await store.findSpriteById(machine.id);
    if (owner === undefined) pool.giveBack(machine);
    throw error;
  }
}

import { type NetworkPolicy, type ResourcesPolicy, SpriteError } from '@sprites/contract';
import { Turns } from '../lifecycle/turns.ts';
import type { Driver, PlugTarget } from '../ports/driver.ts';
import type { Network, Tenant } from '../ports/network.ts';
import type { SpriteRecord, Store } from '../ports/store.ts';
import type { Settings } from '../settings.ts';
import { effectiveConfig } from '../sprites/effective-config.ts';

export type PoliciesDeps = {
  readonly store: Pick<Store, 'findPolicies' | 'updatePolicies'>;
  readonly network: Pick<Network, 'plug' | 'restrict' | 'repair'>;
  readonly driver: Pick<Driver, 'publishPolicy' | 'limitMemory'>;
  readonly settings: Settings;
};

type Sprite = Pick<SpriteRecord, 'id' | 'slot'>;

const unrestricted: NetworkPolicy = { rules: [] };
const mebibyte = 1024 * 1024;

/**
 * Keeps what is stored as the network policy of a sprite and what holds for its machine the same. Changes and starts of
 * one sprite take turns here, so that a machine never starts with a policy that was replaced meanwhile.
 */
export class Policies {
  readonly #deps: PoliciesDeps;
  readonly #turns = new Turns();

  constructor(deps: PoliciesDeps) {
    this.#deps = deps;
  }

  /** The network policy of a sprite; without one, no rules. */
  async network(spriteId: string): Promise<NetworkPolicy> {
    return (await this.#deps.store.findPolicies(spriteId)).network ?? unrestricted;
  }

  /** Gives a machine that is starting its network, with the sprite's policy in force before anything runs in it. */
  plug(sprite: Sprite & Pick<SpriteRecord, 'config'>, target: PlugTarget): Promise<void> {
    return this.#turns.take(sprite.id, async () => {
      const { network = unrestricted, resources } = await this.#deps.store.findPolicies(sprite.id);
      const tenant: Tenant = { spriteId: sprite.id, policy: network };
      // the limit may be newer than what the machine was made by
      if (resources !== undefined) {
        const { ram_mb } = effectiveConfig(this.#deps.settings, sprite.config);
        await this.#deps.driver.limitMemory(sprite.id, limitMemory(resources, ram_mb) * mebibyte);
      }
      await this.#deps.network.plug(sprite.slot, target, tenant);
      await this.#publish(tenant);
    });
  }

  /** Stores a policy and puts it in force on the machine, if there is one; both is done when this resolves. */
  setNetwork(sprite: Sprite, policy: NetworkPolicy): Promise<void> {
    return this.#turns.take(sprite.id, async () => {
      await this.#deps.store.updatePolicies(sprite.id, { network: policy });
      await this.#deps.network.restrict(sprite.slot, policy);
      await this.#publish({ spriteId: sprite.id, policy });
    });
  }

  /**
   * Limits the memory of the machine, if there is one, and stores the policy. Throws `invalid_policy`, and nothing changes,
   * when its programs use more than that.
   */
  setResources(sprite: Sprite, policy: ResourcesPolicy | undefined, memoryMb: number): Promise<void> {
    return this.#turns.take(sprite.id, async () => {
      if (!(await this.#deps.driver.limitMemory(sprite.id, memoryMb * mebibyte))) {
        const message = `memory.limit_mb: the sprite uses more than ${memoryMb} MiB; end programs or restart it first`;
        throw new SpriteError('invalid_policy', message);
      }
      await this.#deps.store.updatePolicies(sprite.id, { resources: policy });
    });
  }

  /** Gives a sprite that is about to be made the policies of the one it is forked from. */
  async copy(fromId: string, toId: string): Promise<void> {
    await this.#deps.store.updatePolicies(toId, await this.#deps.store.findPolicies(fromId));
  }

  /** Forgets the policies of a sprite that was not made. */
  async forget(spriteId: string): Promise<void> {
    const nothing = { network: undefined, privileges: undefined, resources: undefined };
    await this.#deps.store.updatePolicies(spriteId, nothing);
  }

  /** Puts stored policies in force on machines that an earlier server process left running; all other slots are cleared. */
  async repair(running: readonly Sprite[]): Promise<void> {
    const tenants = new Map<number, Tenant>();
    for (const { id, slot } of running) tenants.set(slot, { spriteId: id, policy: await this.network(id) });
    await this.#deps.network.repair(tenants);
    for (const tenant of tenants.values()) await this.#publish(tenant);
  }

  async #publish({ spriteId, policy }: Tenant): Promise<void> {
    await this.#deps.driver.publishPolicy(spriteId, `${JSON.stringify(policy, undefined, 2)}\n`);
  }
}

/**
 * Most memory of a sprite in `MiB`: what its own policy leaves of what it would have. With `autoscale` the limit gives way as
 * far as the sprite needs, which is up to what it would have.
 */
export function limitMemory(policy: ResourcesPolicy | undefined, memoryMb: number): number {
  const { limit_mb = memoryMb, autoscale = false } = policy?.memory ?? {};
  return autoscale ? memoryMb : Math.min(limit_mb, memoryMb);
}

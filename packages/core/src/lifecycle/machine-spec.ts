import { SpriteError } from '@sprites/contract';
import { limitMemory } from '../policies/policies.ts';
import type { MachineSpec } from '../ports/driver.ts';
import type { SpriteRecord } from '../ports/store.ts';
import { effectiveConfig } from '../sprites/effective-config.ts';
import type { LifecycleDeps } from './lifecycle.ts';

/** Describes the next machine of a sprite. Throws `wake_failed` when its base image is gone from this server. */
export async function createMachineSpec(deps: LifecycleDeps, sprite: SpriteRecord): Promise<MachineSpec> {
  const image = await deps.images.find(sprite.imageDigest);
  if (image === undefined) {
    throw new SpriteError(
      'wake_failed',
      `image ${sprite.imageName} (${sprite.imageDigest}) of sprite ${sprite.name} is not installed; build or import it`,
    );
  }
  const config = effectiveConfig(deps.settings, sprite.config);
  const { privileges, resources } = await deps.store.findPolicies(sprite.id);
  return {
    spriteId: sprite.id,
    incarnation: sprite.incarnation + 1,
    hostname: sprite.name,
    slot: sprite.slot,
    diskFile: deps.disks.file(sprite.id),
    imageFile: image.file,
    imageDigest: image.digest,
    limits: {
      cpus: config.cpus,
      memoryBytes: limitMemory(resources, config.ram_mb) * 1024 * 1024,
      maxProcesses: deps.settings.maxProcesses,
    },
    environment: sprite.environment,
    privileges,
    resolvConf: deps.network.resolvConf(),
  };
}

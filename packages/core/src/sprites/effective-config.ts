import type { SpriteRecord } from '../ports/store.ts';
import type { Settings } from '../settings.ts';

/** What a sprite really gets: its wishes, bounded by what the server gives. */
export type EffectiveConfig = {
  readonly ram_mb: number;
  readonly cpus: number;
  readonly storage_gb: number;
  readonly region?: string;
};

/** Smallest memory in `MiB` with which the agent and a shell work. */
export const minMemoryMb = 128;

/** Bounds a sprite's wishes by the server's settings. */
export function effectiveConfig(settings: Settings, config: SpriteRecord['config']): EffectiveConfig {
  return {
    ram_mb: Math.max(minMemoryMb, Math.min(config.ram_mb ?? settings.memoryMb, settings.memoryMb)),
    cpus: Math.min(config.cpus ?? settings.cpus, settings.cpus),
    storage_gb: Math.min(config.storage_gb ?? settings.storageGb, settings.storageGb),
    ...(config.region === undefined ? {} : { region: config.region }),
  };
}

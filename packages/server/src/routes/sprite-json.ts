import type { OrgCounters, Sprite, SpriteLifecycle } from '@sprites/contract';
import {
  type DiskStorage,
  effectiveAuto,
  effectiveConfig,
  effectiveIdle,
  type Isolation,
  type Life,
  type Lifecycle,
  type OrgRecord,
  type Settings,
  type SpriteRecord,
  type Store,
} from '@sprites/core';

/** What a sprite's wire form needs besides its record. */
export type WireDeps = {
  readonly store: Store;
  readonly settings: Settings;
  readonly isolation: Isolation;
  readonly lifecycle: Lifecycle;
  /** URL of a sprite, from its name and the org's short id */
  readonly urlOf: (name: string, urlId: string) => string;
};

/** The sprite as clients see it. Spec section 4.1. */
export function toSprite(deps: WireDeps, org: OrgRecord, record: SpriteRecord): Sprite {
  const access = record.privateAccess;
  const life = deps.lifecycle.describe(record);
  const auto = effectiveAuto(deps.settings, record);
  const idle = effectiveIdle(deps.settings, record);
  return {
    id: record.id,
    name: record.name,
    organization: org.slug,
    org_slug: org.slug,
    status: life.state,
    config: effectiveConfig(deps.settings, record.config),
    environment: { ...record.environment },
    url: deps.urlOf(record.name, org.urlId),
    url_settings: {
      auth: record.urlAuth,
      ...(access === 'admins' || access === 'org_users' ? { private_access: access } : {}),
    },
    labels: [...record.labels],
    version: deps.settings.version,
    environment_version: record.imageDigest,
    image: record.imageName,
    isolation: deps.isolation,
    incarnation: record.incarnation,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    last_running_at: record.lastRunningAt ?? null,
    last_warming_at: record.lastWarmingAt ?? null,
    last_started_at: record.lastStartedAt ?? null,
    last_active_at: life.lastActiveAt ?? null,
    auto_checkpoints: { every_s: auto.everyS, keep_hourly: auto.keepHourly, keep_daily: auto.keepDaily },
    idle: { warm_after_s: idle.warmAfterS, cold_after_s: idle.coldAfterS },
    lifecycle: toLifecycle(life),
  };
}

function toLifecycle({ state, since, heldBy, sleepsAt, lastWake, lastSleep }: Life): SpriteLifecycle {
  return {
    state,
    since,
    held_by: heldBy.map(({ kind, label, id, untilMs }) => ({
      kind,
      label,
      ...(id === undefined ? {} : { id }),
      ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
    })),
    sleeps_at: sleepsAt ?? null,
    last_wake:
      lastWake === undefined ? null : { kind: lastWake.kind, ms: lastWake.tookMs, cause: lastWake.cause },
    last_sleep: lastSleep === undefined ? null : { kind: lastSleep.kind, cause: lastSleep.cause },
  };
}

/** What a sprite costs, when it is known. */
export function toStorage(storage: DiskStorage | undefined): Pick<Sprite, 'storage'> {
  if (storage === undefined) return {};
  const { disk, checkpointsBytes } = storage;
  return {
    storage: { used_bytes: disk.usedBytes, own_bytes: disk.ownBytes, checkpoints_bytes: checkpointsBytes },
  };
}

/** How many of the org's sprites are in which state, and how many may be. */
export async function toCounters(deps: WireDeps, org: OrgRecord): Promise<OrgCounters> {
  const counts = await deps.store.countByStatus(org.id);
  const limit = deps.settings.maxSprites;
  return { name: org.slug, ...counts, running_limit: limit, warm_limit: limit };
}

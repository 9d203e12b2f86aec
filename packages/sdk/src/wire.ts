import type {
  CheckAnswer,
  CheckpointLine,
  endpoints,
  KillLine,
  ServiceLine,
  SpriteList,
  WatchLine,
  Checkpoint as WireCheckpoint,
  SpriteEvent as WireEvent,
  Service as WireService,
  Sprite as WireSprite,
  Task as WireTask,
} from '@sprites/contract';
import type { z } from 'zod';
import type { JsonAnswer } from './http/request.ts';
import type * as sdk from './options.ts';
import type * as services from './services/service.ts';

/** Names of the wire to names of the SDK, one function per shape. Absent and `null` both become absent. */
export function toSpriteInfo(wire: WireSprite): sdk.SpriteInfo {
  return {
    id: wire.id,
    name: wire.name,
    organization: wire.organization,
    status: wire.status,
    config: {
      ramMB: wire.config.ram_mb,
      cpus: wire.config.cpus,
      storageGB: wire.config.storage_gb,
      ...(wire.config.region === undefined ? {} : { region: wire.config.region }),
    },
    environment: wire.environment,
    createdAt: new Date(wire.created_at),
    updatedAt: new Date(wire.updated_at),
    url: wire.url,
    urlSettings: {
      auth: wire.url_settings.auth,
      ...(wire.url_settings.private_access === undefined
        ? {}
        : { privateAccess: wire.url_settings.private_access }),
    },
    version: wire.version,
    environmentVersion: wire.environment_version,
    image: wire.image,
    isolation: wire.isolation,
    incarnation: wire.incarnation,
    ...(wire.storage === undefined ? {} : { storage: toStorage(wire.storage) }),
    autoCheckpoints: {
      everyS: wire.auto_checkpoints.every_s,
      keepHourly: wire.auto_checkpoints.keep_hourly,
      keepDaily: wire.auto_checkpoints.keep_daily,
    },
    labels: wire.labels,
    ...date('lastRunningAt', wire.last_running_at),
    ...date('lastWarmingAt', wire.last_warming_at),
    ...date('lastStartedAt', wire.last_started_at),
    ...date('lastActiveAt', wire.last_active_at),
    idle: { warmAfterS: wire.idle.warm_after_s, coldAfterS: wire.idle.cold_after_s },
    lifecycle: toLifecycle(wire.lifecycle),
  };
}

function toLifecycle(wire: WireSprite['lifecycle']): sdk.SpriteLifecycle {
  return {
    state: wire.state,
    since: new Date(wire.since),
    heldBy: wire.held_by.map(({ kind, label, id, until }) => ({
      kind,
      label,
      ...(id === undefined ? {} : { id }),
      ...date('until', until),
    })),
    ...date('sleepsAt', wire.sleeps_at),
    ...(wire.last_wake === null ? {} : { lastWake: wire.last_wake }),
    ...(wire.last_sleep === null ? {} : { lastSleep: wire.last_sleep }),
  };
}

export function toEvent(wire: WireEvent): sdk.SpriteEvent {
  return { ...wire, time: new Date(wire.time) };
}

function toStorage(wire: NonNullable<WireSprite['storage']>): sdk.SpriteStorage {
  return {
    usedBytes: wire.used_bytes,
    ownBytes: wire.own_bytes,
    checkpointsBytes: wire.checkpoints_bytes,
  };
}

export function toSpriteList(wire: z.output<typeof SpriteList>): sdk.SpriteList {
  const token = wire.next_continuation_token;
  return {
    sprites: wire.sprites.map(toSpriteInfo),
    hasMore: wire.has_more,
    ...(token === null || token === '' ? {} : { nextContinuationToken: token }),
    organizationName: wire.org.name,
    running: wire.org.running,
    warm: wire.org.warm,
    cold: wire.org.cold,
    runningLimit: wire.org.running_limit,
    warmLimit: wire.org.warm_limit,
  };
}

export function toStateEvent(wire: WatchLine): sdk.SpriteStateEvent {
  return {
    ...(wire.type === undefined ? {} : { type: wire.type }),
    ...(wire.name === undefined ? {} : { name: wire.name }),
    ...(wire.status === undefined ? {} : { status: wire.status }),
    ...(wire.running_version === undefined ? {} : { runningVersion: wire.running_version }),
    ...date('lastRunningAt', wire.last_running_at),
    ...date('lastWarmingAt', wire.last_warming_at),
    timestamp: new Date(wire.timestamp),
    organization: {
      name: wire.org.name,
      running: wire.org.running,
      warm: wire.org.warm,
      cold: wire.org.cold,
      runningLimit: wire.org.running_limit,
      warmLimit: wire.org.warm_limit,
    },
  };
}

export function toCheck(wire: z.output<typeof CheckAnswer>): sdk.SpriteCheck {
  return {
    spriteName: wire.sprite_name,
    spriteId: wire.sprite_id,
    status: wire.status,
    checkedAt: new Date(wire.checked_at),
    ...(wire.reason === null ? {} : { reason: wire.reason }),
    ...(wire.elapsed === null ? {} : { elapsed: wire.elapsed }),
  };
}

export function toSession(wire: JsonAnswer<typeof endpoints.exec>['sessions'][number]): sdk.Session {
  return {
    id: wire.id,
    command: wire.command,
    workdir: wire.workdir,
    created: new Date(wire.created),
    bytesPerSecond: wire.bytes_per_second,
    isActive: wire.is_active,
    tty: wire.tty,
    ...date('lastActivity', wire.last_activity),
  };
}

export function toKillEvent(wire: z.output<typeof KillLine>): sdk.SessionKillEvent {
  const { exit_code: exitCode, type, message, signal, pid } = wire;
  return {
    type,
    ...(message === undefined ? {} : { message }),
    ...(signal === undefined ? {} : { signal }),
    ...(pid === undefined ? {} : { pid }),
    ...(exitCode === undefined ? {} : { exitCode }),
  };
}

export function toCheckpoint(wire: WireCheckpoint): sdk.Checkpoint {
  return {
    id: wire.id,
    createTime: new Date(wire.create_time),
    ...(wire.comment === undefined ? {} : { comment: wire.comment }),
    ...(wire.source_id === undefined ? {} : { sourceId: wire.source_id }),
    history: wire.history,
    isAuto: wire.is_auto,
    health: wire.health,
    ...(wire.size_bytes === undefined ? {} : { sizeBytes: wire.size_bytes }),
    ...(wire.own_bytes === undefined ? {} : { ownBytes: wire.own_bytes }),
    ...(wire.shared_bytes === undefined ? {} : { sharedBytes: wire.shared_bytes }),
  };
}

export function toService(wire: z.output<typeof WireService>): services.ServiceWithState {
  const { name, cmd, args, env, needs, dir, user, state } = wire;
  return {
    name,
    cmd,
    args,
    env,
    needs,
    ...(dir === undefined ? {} : { dir }),
    ...(wire.http_port === null ? {} : { httpPort: wire.http_port }),
    ...(user === undefined ? {} : { user }),
    state: {
      name: state.name,
      status: state.status,
      ...(state.pid === undefined ? {} : { pid: state.pid }),
      ...(state.started_at === undefined ? {} : { startedAt: state.started_at }),
      error: state.error,
      restartCount: state.restart_count,
      ...(state.next_restart_at === null ? {} : { nextRestartAt: state.next_restart_at }),
    },
  };
}

export function toServiceEvent(wire: z.output<typeof ServiceLine>): services.ServiceLogEvent {
  const { type, timestamp, data, exit_code: exitCode, log_files: logFiles } = wire;
  return {
    type,
    timestamp,
    ...(data === undefined ? {} : { data }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(logFiles === undefined ? {} : { logFiles }),
  };
}

export function toTask(wire: z.output<typeof WireTask>): services.Task {
  return { name: wire.name, startedAt: new Date(wire.started_at), expiresAt: new Date(wire.expires_at) };
}

export function toStreamMessage(wire: CheckpointLine): sdk.StreamMessage {
  return {
    type: wire.type,
    ...(wire.data === undefined ? {} : { data: wire.data }),
    ...(wire.error === undefined ? {} : { error: wire.error }),
    time: new Date(wire.time),
    ...(wire.code === undefined ? {} : { errorCode: wire.code }),
    ...(wire.checkpoint === undefined ? {} : { checkpointId: wire.checkpoint }),
  };
}

/** The body of a creation; undefined members vanish in JSON. */
export function fromCreateOptions(name: string, options: sdk.CreateSpriteOptions): unknown {
  const { config } = options;
  return {
    name,
    config: config && {
      ram_mb: config.ramMB,
      cpus: config.cpus,
      region: config.region,
      storage_gb: config.storageGB,
    },
    environment: options.environment,
    url_settings: fromURLSettings(options.urlSettings),
    labels: options.labels,
    wait_for_capacity: options.waitForCapacity,
    runtime: options.runtime,
    image: options.image,
    idle: fromIdle(options.idle),
    auto_checkpoints: fromAutoCheckpoints(options.autoCheckpoints),
    from: options.from,
  };
}

export function fromUpdateOptions(options: sdk.UpdateSpriteOptions): unknown {
  const { urlSettings, labels, idle, autoCheckpoints } = options;
  return {
    url_settings: fromURLSettings(urlSettings),
    labels,
    idle: fromIdle(idle),
    auto_checkpoints: fromAutoCheckpoints(autoCheckpoints),
  };
}

function fromIdle(idle: sdk.IdleSettings | undefined): unknown {
  return idle && { warm_after_s: idle.warmAfterS, cold_after_s: idle.coldAfterS };
}

function fromAutoCheckpoints(options: sdk.AutoCheckpointOptions | undefined): unknown {
  return (
    options && {
      every_s: options.everyS,
      keep_hourly: options.keepHourly,
      keep_daily: options.keepDaily,
    }
  );
}

function fromURLSettings(settings: sdk.URLSettings | undefined): unknown {
  return settings && { auth: settings.auth, private_access: settings.privateAccess };
}

function date<K extends string>(key: K, text: string | null | undefined): { readonly [P in K]?: Date } {
  // a computed key is typed as any string; K is the only one here
  return text ? ({ [key]: new Date(text) } as { readonly [P in K]: Date }) : {};
}

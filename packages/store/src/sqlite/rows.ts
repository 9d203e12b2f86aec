import type {
  CheckpointPatch,
  CheckpointRecord,
  OrgRecord,
  SpritePatch,
  SpriteRecord,
  SpriteStatus,
  TokenRecord,
} from '@sprites/core';
import type { CheckpointRow, OrgRow, SpriteRow, TokenRow } from './schema.ts';

export function toOrg(row: OrgRow): OrgRecord {
  return { id: row.id, slug: row.slug, urlId: row.url_id, createdAt: row.created_at };
}

export function toToken(row: TokenRow): TokenRecord {
  return {
    id: row.id,
    orgId: row.org_id,
    secretHash: row.secret_hash,
    description: row.description,
    createdAt: row.created_at,
  };
}

export function fromToken(token: TokenRecord): TokenRow {
  return {
    id: token.id,
    org_id: token.orgId,
    secret_hash: token.secretHash,
    description: token.description,
    created_at: token.createdAt,
  };
}

export function toSprite(row: SpriteRow): SpriteRecord {
  return {
    id: row.id,
    orgId: row.org_id,
    name: row.name,
    status: toStatus(row.status),
    slot: row.slot,
    incarnation: row.incarnation,
    imageName: row.image_name,
    imageDigest: row.image_digest,
    urlAuth: row.url_auth,
    privateAccess: row.private_access ?? undefined,
    labels: JSON.parse(row.labels),
    environment: JSON.parse(row.environment),
    config: JSON.parse(row.config),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastRunningAt: row.last_running_at ?? undefined,
    lastWarmingAt: row.last_warming_at ?? undefined,
    lastStartedAt: row.last_started_at ?? undefined,
    lastActiveAt: row.last_active_at ?? undefined,
    deletedAt: row.deleted_at ?? undefined,
    checkpointCount: row.checkpoint_count,
    sourceCheckpoint: row.source_checkpoint ?? undefined,
    restoring: row.restoring === null ? undefined : JSON.parse(row.restoring),
    autoCheckpoints: row.auto_checkpoints === null ? undefined : JSON.parse(row.auto_checkpoints),
    idle: row.idle === null ? undefined : JSON.parse(row.idle),
    stateSince: row.state_since ?? undefined,
    lastWake: row.last_wake === null ? undefined : JSON.parse(row.last_wake),
    lastSleep: row.last_sleep === null ? undefined : JSON.parse(row.last_sleep),
  };
}

export function toCheckpoint(row: CheckpointRow): CheckpointRecord {
  return {
    spriteId: row.sprite_id,
    id: row.id,
    sequence: row.sequence,
    comment: row.comment ?? undefined,
    createdAt: row.created_at,
    sourceId: row.source_id ?? undefined,
    isAuto: row.is_auto === 1,
    health: row.health,
    cause: toCause(row.cause),
    imageDigest: row.image_digest ?? undefined,
    sizeBytes: row.size_bytes ?? undefined,
    checksum: row.checksum ?? undefined,
    verifiedAt: row.verified_at ?? undefined,
  };
}

export function fromCheckpoint({ spriteId, ...checkpoint }: CheckpointRecord): CheckpointRow {
  return {
    sprite_id: spriteId,
    id: checkpoint.id,
    sequence: checkpoint.sequence,
    comment: checkpoint.comment ?? null,
    created_at: checkpoint.createdAt,
    source_id: checkpoint.sourceId ?? null,
    is_auto: checkpoint.isAuto ? 1 : 0,
    health: checkpoint.health,
    cause: checkpoint.cause ?? null,
    image_digest: checkpoint.imageDigest ?? null,
    size_bytes: checkpoint.sizeBytes ?? null,
    checksum: checkpoint.checksum ?? null,
    verified_at: checkpoint.verifiedAt ?? null,
  };
}

/** The columns of the members that a patch names. */
export function fromCheckpointPatch(patch: CheckpointPatch): Partial<CheckpointRow> {
  return {
    ...(patch.health === undefined ? {} : { health: patch.health }),
    ...(patch.sizeBytes === undefined ? {} : { size_bytes: patch.sizeBytes }),
    ...(patch.checksum === undefined ? {} : { checksum: patch.checksum }),
    ...(patch.verifiedAt === undefined ? {} : { verified_at: patch.verifiedAt }),
  };
}

function toCause(text: string | null): CheckpointRecord['cause'] {
  return text === 'restore' || text === 'upgrade' || text === 'interval' ? text : undefined;
}

function toStatus(text: string): SpriteStatus {
  if (text === 'cold' || text === 'warm' || text === 'running') return text;
  throw new Error(`the store holds the unknown sprite status ${text}`);
}

type Writable = Omit<SpriteRow, 'id' | 'org_id' | 'name' | 'slot'>;

const columns = {
  status: 'status',
  incarnation: 'incarnation',
  imageName: 'image_name',
  imageDigest: 'image_digest',
  urlAuth: 'url_auth',
  privateAccess: 'private_access',
  labels: 'labels',
  environment: 'environment',
  config: 'config',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  lastRunningAt: 'last_running_at',
  lastWarmingAt: 'last_warming_at',
  lastStartedAt: 'last_started_at',
  lastActiveAt: 'last_active_at',
  deletedAt: 'deleted_at',
  checkpointCount: 'checkpoint_count',
  sourceCheckpoint: 'source_checkpoint',
  restoring: 'restoring',
  autoCheckpoints: 'auto_checkpoints',
  idle: 'idle',
  stateSince: 'state_since',
  lastWake: 'last_wake',
  lastSleep: 'last_sleep',
} as const satisfies Record<keyof SpritePatch, keyof Writable>;

/** The columns of the members that a patch names; objects become JSON text, undefined becomes null. */
export function fromPatch(patch: SpritePatch): Readonly<Record<string, string | number | null>> {
  const row: Record<string, string | number | null> = {};
  for (const [member, column] of Object.entries(columns)) {
    if (!(member in patch)) continue;
    const value: unknown = Reflect.get(patch, member);
    if (value === undefined) row[column] = null;
    else row[column] = typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
  }
  return row;
}

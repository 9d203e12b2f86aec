import { z } from 'zod';
import { AutoCheckpointSettings, AutoCheckpoints, ForkSource } from './checkpoint.ts';
import { Idle, IdleSettings, SpriteLifecycle } from './lifecycle.ts';
import { Environment, Label, SpriteName } from './names.ts';

const Timestamp = z.string().meta({ format: 'date-time', description: 'RFC 3339' });

/** `bearer` and `none` are what one client's documentation calls `sprite` and `public`. Spec section 4.6. */
const authAliases: Readonly<Record<string, string>> = { bearer: 'sprite', none: 'public' };

export const UrlSettings = z
  .strictObject({
    auth: z
      .string()
      .min(1)
      .max(64)
      .transform((auth) => authAliases[auth] ?? auth)
      .optional(),
    private_access: z.enum(['admins', 'org_users']).optional(),
  })
  .meta({ description: 'Who may open the URL of the sprite: `sprite` (token) or `public`' });

const positiveInteger = z.int().positive();

/** Accepts both spellings of the two keys that older clients write in camel case. Spec section 4.2. */
export const SpriteConfig = z
  .strictObject({
    ram_mb: positiveInteger.optional(),
    ramMB: positiveInteger.optional(),
    cpus: positiveInteger.optional(),
    region: z.string().max(64).optional(),
    storage_gb: positiveInteger.optional(),
    storageGB: positiveInteger.optional(),
  })
  .transform(({ ramMB, storageGB, ...config }) => ({
    ...config,
    ...(config.ram_mb === undefined && ramMB !== undefined ? { ram_mb: ramMB } : {}),
    ...(config.storage_gb === undefined && storageGB !== undefined ? { storage_gb: storageGB } : {}),
  }))
  .meta({ description: 'Wished sizes; the answer holds what the sprite really gets' });

const Labels = z.array(Label).max(64, 'at most 64 labels');

export const CreateSprite = z
  .strictObject({
    name: SpriteName,
    config: SpriteConfig.optional(),
    environment: Environment.optional(),
    url_settings: UrlSettings.optional(),
    labels: Labels.optional(),
    wait_for_capacity: z
      .boolean()
      .optional()
      .meta({ description: 'Wait for a free place instead of answering 429' }),
    runtime: z.enum(['default', 'dev']).optional(),
    image: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'Name or digest of an installed base image' }),
    idle: IdleSettings.optional(),
    auto_checkpoints: AutoCheckpointSettings.optional(),
    from: ForkSource.optional().meta({
      description: 'Begin with a copy of another sprite’s disk, live or as a checkpoint saved it',
    }),
  })
  .meta({ id: 'CreateSprite' });

export const UpdateSprite = z
  .strictObject({
    url_settings: UrlSettings.optional(),
    labels: Labels.optional(),
    clear_labels: z.boolean().optional(),
    idle: IdleSettings.optional(),
    auto_checkpoints: AutoCheckpointSettings.optional(),
  })
  .meta({ id: 'UpdateSprite' });

export const SpriteStatus = z.enum(['cold', 'warm', 'running']);

/** The sprite on the wire. Spec section 4.1. */
export const Sprite = z
  .object({
    id: z.string(),
    name: z.string(),
    organization: z.string(),
    org_slug: z.string(),
    status: SpriteStatus,
    config: z.object({
      ram_mb: z.int(),
      cpus: z.int(),
      storage_gb: z.int(),
      region: z.string().optional(),
    }),
    environment: z.record(z.string(), z.string()),
    url: z.url(),
    url_settings: z.object({
      auth: z.string(),
      private_access: z.enum(['admins', 'org_users']).optional(),
    }),
    labels: z.array(z.string()),
    version: z.string().meta({ description: 'Version of the program inside the sprite' }),
    environment_version: z.string().meta({ description: 'Digest of the base image' }),
    image: z.string().meta({ description: 'Name of the base image' }),
    isolation: z.enum(['container', 'gvisor', 'microvm', 'emulated']),
    incarnation: z.int().meta({ description: 'How many machines this sprite has had' }),
    created_at: Timestamp,
    updated_at: Timestamp,
    last_running_at: Timestamp.nullable(),
    last_warming_at: Timestamp.nullable(),
    last_started_at: Timestamp.nullable(),
    last_active_at: Timestamp.nullable(),
    idle: Idle,
    auto_checkpoints: AutoCheckpoints,
    storage: z
      .object({
        used_bytes: z.int().meta({ description: 'What its disk holds, shared or not' }),
        own_bytes: z.int().meta({ description: 'What only its disk holds' }),
        checkpoints_bytes: z.int().meta({ description: 'What its checkpoints hold and its disk does not' }),
      })
      .optional()
      .meta({ description: 'Bytes of the disk pool; on single sprites, when they are known' }),
    lifecycle: SpriteLifecycle,
  })
  .meta({ id: 'Sprite' });
export type Sprite = z.infer<typeof Sprite>;

export const OrgCounters = z
  .object({
    name: z.string(),
    running: z.int(),
    warm: z.int(),
    cold: z.int(),
    running_limit: z.int(),
    warm_limit: z.int(),
  })
  .meta({ id: 'OrgCounters' });
export type OrgCounters = z.infer<typeof OrgCounters>;

export const SpriteList = OrgCounters.extend({
  sprites: z.array(Sprite),
  has_more: z.boolean(),
  next_continuation_token: z.string().nullable(),
  org: OrgCounters,
}).meta({ id: 'SpriteList' });

/** One line of the watch stream. A `deleted` line is the last one about a sprite. Spec section 4.4. */
export const WatchLine = z
  .object({
    type: z.enum(['heartbeat', 'deleted']).optional(),
    name: z.string().optional(),
    status: SpriteStatus.optional(),
    running_version: z.string().optional(),
    last_running_at: Timestamp.nullable().optional(),
    last_warming_at: Timestamp.nullable().optional(),
    timestamp: Timestamp,
    org: OrgCounters,
  })
  .meta({ id: 'WatchLine' });
export type WatchLine = z.infer<typeof WatchLine>;

/** Most entries one page of the list holds; larger wishes are clamped. Spec section 4.3. */
export const maxPageSize = 100;
export const defaultPageSize = 50;

export const ListQuery = z.object({
  prefix: z.string().optional(),
  max_results: z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform((text) => Math.min(Math.max(Number(text), 1), maxPageSize))
    .optional(),
  continuation_token: z.string().optional(),
  bulk_load: z.string().optional(),
});

export const RestartAnswer = z
  .object({ sprite_name: z.string(), machine_id: z.string(), message: z.string() })
  .meta({ id: 'RestartAnswer' });

export const UpgradeBody = z.strictObject({ version: z.string().max(200).optional() });

export const CheckAnswer = z
  .object({
    sprite_name: z.string(),
    sprite_id: z.string(),
    status: z.enum(['ok', 'unhealthy']),
    reason: z.string().nullable(),
    checked_at: Timestamp,
    elapsed: z.number().nullable().meta({ description: 'Seconds the check took' }),
  })
  .meta({ id: 'CheckAnswer' });

export const Organization = OrgCounters.extend({ slug: z.string(), id: z.string() }).meta({
  id: 'Organization',
});

export const CreateToken = z.strictObject({
  description: z.string().max(200).optional(),
  invite_code: z.string().max(200).optional(),
});
export const CreatedToken = z.object({ token: z.string() }).meta({ id: 'CreatedToken' });

export const ErrorAnswer = z
  .object({
    error: z.string(),
    message: z.string(),
    limit: z.int().optional(),
    window_seconds: z.int().optional(),
    retry_after_seconds: z.int().optional(),
    current_count: z.int().optional(),
    errors: z.array(z.string()).optional(),
    code: z.string().optional().meta({ description: 'Of the file API: the name of the system error' }),
  })
  .meta({ id: 'Error' });

/** Sessions of a sprite. Spec section 6.1. */
export const SessionListAnswer = z
  .object({
    sessions: z.array(
      z.object({
        id: z.string(),
        command: z.string(),
        workdir: z.string(),
        created: Timestamp,
        bytes_per_second: z.number(),
        is_active: z.boolean(),
        last_activity: Timestamp.nullable(),
        tty: z.boolean(),
      }),
    ),
    count: z.int(),
  })
  .meta({ id: 'SessionList' });

export const KillQuery = z.object({ signal: z.string().optional(), timeout: z.string().optional() });

/** One line of the kill stream. Spec section 6.3. */
export const KillLine = z
  .object({
    type: z.enum(['signal', 'timeout', 'exited', 'killed', 'error', 'complete']),
    message: z.string().optional(),
    signal: z.string().optional(),
    pid: z.int().optional(),
    exit_code: z.int().optional(),
  })
  .meta({ id: 'KillLine' });

export const HostInfo = z
  .object({
    version: z.string(),
    isolation: z.enum(['container', 'gvisor', 'microvm', 'emulated']),
    runtime: z.string(),
    pool: z.object({ kind: z.string(), free_bytes: z.int(), total_bytes: z.int() }),
    images: z.array(z.object({ name: z.string(), digest: z.string(), created_at: Timestamp })),
    limits: z.object({ cpus: z.int(), memory_mb: z.int(), storage_gb: z.int() }),
  })
  .meta({ id: 'HostInfo' });
export type HostInfo = z.infer<typeof HostInfo>;

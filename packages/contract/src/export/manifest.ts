import { z } from 'zod';
import { AutoCheckpointSettings, checkpointIdPattern, currentCheckpointId } from '../checkpoint.ts';
import { IdleSettings } from '../lifecycle.ts';
import { Environment, Label, SpriteName } from '../names.ts';
import { NetworkPolicy, PrivilegesPolicy, ResourcesPolicy } from '../policy.ts';

/** What an archive says it is. */
export const exportFormat = 'sprite-export';
/** Raised when a reader of the format before could misunderstand an archive. */
export const exportVersion = 1;

/** Most trees of one archive: the checkpoints and the live disk. */
const mostTrees = 10_000;

const TreeId = z.union([z.literal(currentCheckpointId), z.string().regex(checkpointIdPattern)]);
const text = z.string().max(1000);
const count = z.int().nonnegative();

/** The files of a checkpoint or, as `Current`, of the live disk; they are told as changes to those of another. */
export const ExportTree = z.strictObject({
  id: TreeId,
  /** an earlier tree of the archive; left out when there is none to begin with */
  base: TreeId.optional(),
  /** no more content than this many bytes follows */
  most_bytes: count,
  /** no more files, directories and so on than this */
  most_entries: count,
});
export type ExportTree = z.infer<typeof ExportTree>;

/** A checkpoint as the archive's first member has it. */
export const ExportCheckpoint = z.strictObject({
  id: z.string().regex(checkpointIdPattern),
  create_time: z.iso.datetime(),
  comment: text.optional(),
  source_id: z.string().max(100).optional(),
  is_auto: z.boolean(),
  /** why the server made it; left out when a user did */
  cause: z.enum(['restore', 'upgrade', 'interval']).optional(),
  /** image its files lie over; left out when it is not known */
  image_digest: z.string().min(1).max(200).optional(),
});

/** What could not be read when an archive was made. */
export const ExportProblem = z.strictObject({
  tree: TreeId,
  /** path in the sprite, with `?` for what is no text; left out when it is about the whole tree */
  path: z.string().max(5000).optional(),
  reason: text,
});
export type ExportProblem = z.infer<typeof ExportProblem>;

/** Everything of a sprite beside its files. */
export const ExportedSprite = z.strictObject({
  name: SpriteName,
  created_at: z.iso.datetime(),
  labels: z.array(Label).max(64),
  environment: Environment,
  url_settings: z.strictObject({
    auth: z.string().min(1).max(64),
    private_access: z.enum(['admins', 'org_users']).optional(),
  }),
  config: z.strictObject({
    ram_mb: z.int().positive().optional(),
    cpus: z.int().positive().optional(),
    region: z.string().max(64).optional(),
    storage_gb: z.int().positive().optional(),
  }),
  /** seconds of idleness until it gets warm, and cold; what is left out follows the server */
  idle: IdleSettings,
  /** when it is saved by itself; what is left out follows the server */
  auto_checkpoints: AutoCheckpointSettings,
  /** what is set for it beyond the server's defaults; no import may lose a restriction */
  policies: z.strictObject({
    network: NetworkPolicy.optional(),
    privileges: PrivilegesPolicy.optional(),
    resources: ResourcesPolicy.optional(),
  }),
  checkpoint_count: count,
  source_checkpoint: z.string().max(100).optional(),
});
export type ExportedSprite = z.infer<typeof ExportedSprite>;

/** The first member of an archive. Described in docs/export-format.md. */
export const ExportManifest = z.strictObject({
  format: z.literal(exportFormat),
  version: z.literal(exportVersion),
  created_at: z.iso.datetime(),
  server_version: text,
  image: z.strictObject({ name: z.string().min(1).max(200), digest: z.string().min(1).max(200) }),
  sprite: ExportedSprite,
  checkpoints: z.array(ExportCheckpoint).max(mostTrees),
  trees: z.array(ExportTree).min(1).max(mostTrees),
  problems: z.array(ExportProblem).max(mostTrees),
});
export type ExportManifest = z.infer<typeof ExportManifest>;

import { z } from 'zod';
import { SpritePath } from './diff.ts';

/** Ids of checkpoints: `v1`, `v2`, … for those users make, `auto-…` for automatic ones. */
export const checkpointIdPattern = /^(v[1-9]\d{0,8}|auto-[0-9a-z-]{1,40})$/;

/** Id under which the live disk appears in lists. Spec section 13.1. */
export const currentCheckpointId = 'Current';

/** Longest comment of a checkpoint, in characters. */
const maxCommentLength = 1000;

export const CreateCheckpoint = z
  .strictObject({
    comment: z
      .string()
      .max(maxCommentLength, `must have at most ${maxCommentLength} characters`)
      .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters')
      .optional(),
  })
  .meta({ id: 'CreateCheckpoint' });

/** A saved disk, or the live one. Spec section 13.1. */
export const Checkpoint = z
  .object({
    id: z.string(),
    create_time: z.string().meta({ format: 'date-time' }),
    comment: z.string().optional(),
    source_id: z.string().optional().meta({ description: 'The checkpoint its disk was based on' }),
    history: z.array(z.string()).meta({ description: 'All checkpoints it descends from, oldest first' }),
    is_auto: z.boolean(),
    health: z.string().meta({ description: 'Empty when healthy' }),
    size_bytes: z.int().optional().meta({ description: 'What its disk holds, shared or not' }),
    own_bytes: z.int().optional().meta({ description: 'What only it holds: freed when it is deleted' }),
    shared_bytes: z.int().optional().meta({ description: 'What other disks or checkpoints hold as well' }),
  })
  .meta({ id: 'Checkpoint' });
export type Checkpoint = z.infer<typeof Checkpoint>;

export const CheckpointListQuery = z.object({
  history: z.string().optional().meta({ description: 'Only this checkpoint and those that descend from it' }),
  includeAuto: z.string().optional().meta({ description: '`true` shows automatic checkpoints too' }),
});

/** One line of the create and restore streams; the last one is `complete` or `error`. Spec section 13.7. */
export const CheckpointLine = z
  .object({
    type: z.enum(['info', 'error', 'complete']),
    data: z.string().optional(),
    error: z.string().optional(),
    code: z.string().optional().meta({ description: 'On `error`: the code of an error answer' }),
    checkpoint: z.string().optional().meta({ description: 'On `complete`: the checkpoint made or restored' }),
    time: z.string().meta({ format: 'date-time' }),
  })
  .meta({ id: 'CheckpointLine' });
export type CheckpointLine = z.infer<typeof CheckpointLine>;

/** Shortest time between two automatic checkpoints of a sprite, in seconds. */
const minEveryS = 5;
const keepCount = z.int().min(0).max(1000);

/** When a sprite is saved by itself; what is left out stays as it was, and null follows the server. */
export const AutoCheckpointSettings = z
  .strictObject({
    every_s: z
      .union([z.literal('off'), z.int().min(minEveryS).max(31_536_000)])
      .nullable()
      .optional()
      .meta({ description: 'Seconds between two, while the disk changes; at least 5' }),
    keep_hourly: keepCount.nullable().optional(),
    keep_daily: keepCount.nullable().optional(),
  })
  .meta({
    id: 'AutoCheckpointSettings',
    description: 'When the sprite is saved by itself, and of how many hours and days the newest stays',
  });

/** What is in force. */
export const AutoCheckpoints = z
  .object({
    every_s: z.union([z.literal('off'), z.int()]),
    keep_hourly: z.int(),
    keep_daily: z.int(),
  })
  .meta({ id: 'AutoCheckpoints' });

/** Most checkpoints one verification names. */
const maxVerified = 1000;

export const VerifyCheckpoints = z
  .strictObject({
    ids: z
      .array(z.string().regex(checkpointIdPattern, 'must be the id of a checkpoint, such as v1'))
      .max(maxVerified, `at most ${maxVerified} ids`)
      .optional()
      .meta({ description: 'Those to compare; all, automatic ones too, when left out' }),
  })
  .meta({ id: 'VerifyCheckpoints' });

/** Most paths of one restore. */
const mostPaths = 1000;

export const RestoreCheckpoint = z
  .strictObject({
    paths: z
      .array(SpritePath)
      .min(1)
      .max(mostPaths)
      .optional()
      .meta({ description: 'Only these paths, into the running sprite; default everything' }),
    remove: z.boolean().optional().meta({
      description: 'Remove those paths that the checkpoint does not have, instead of refusing them',
    }),
  })
  .refine(({ paths, remove }) => remove === undefined || paths !== undefined, {
    error: 'remove goes with paths only',
  })
  .meta({ id: 'RestoreCheckpoint' });

/** Where the disk of a new sprite comes from. */
export const ForkSource = z
  .strictObject({
    sprite: z.string().min(1).max(200),
    checkpoint: z
      .string()
      .regex(checkpointIdPattern, 'must be the id of a checkpoint, such as v1')
      .optional(),
  })
  .meta({ id: 'ForkSource' });

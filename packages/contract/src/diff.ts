import { z } from 'zod';

/** Longest path a request may name, in characters. */
const maxPathLength = 4096;

/** An absolute path inside a sprite; `.` and `..` are not resolved, and links are not followed. */
export const SpritePath = z
  .string()
  .max(maxPathLength, `must have at most ${maxPathLength} characters`)
  .regex(/^\//, 'must be absolute, such as /etc')
  .refine((path) => !path.includes('\0') && !path.split('/').some((part) => part === '.' || part === '..'), {
    error: 'must not contain `.`, `..` or a NUL',
  });

export const FileKind = z.enum([
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'char_device',
  'block_device',
]);
export type FileKind = z.infer<typeof FileKind>;

/** What a disk knows of a file. */
export const FileFacts = z
  .object({
    kind: FileKind,
    size: z.number().int().meta({ description: 'In bytes; 0 for all but files' }),
    mode: z.string().meta({ description: 'Four octal digits' }),
    uid: z.number().int(),
    gid: z.number().int(),
    mtime: z.string().meta({ format: 'date-time' }),
    target: z.string().optional().meta({ description: 'Where a symlink leads' }),
  })
  .meta({ id: 'FileFacts' });
export type FileFacts = z.infer<typeof FileFacts>;

/** `changed` is about content, `retyped` about the kind; `metadata` are only owner, mode, time or extended attributes. */
export const ChangeKind = z.enum(['added', 'removed', 'changed', 'retyped', 'metadata']);
export type ChangeKind = z.infer<typeof ChangeKind>;

/** How one path differs between two disks. */
export const PathChange = z
  .object({
    change: ChangeKind,
    path: z.string().meta({ description: 'Absolute; what is not UTF-8 in it is replaced' }),
    path_base64: z.string().optional().meta({ description: 'The exact bytes of a path that is not UTF-8' }),
    before: FileFacts.optional(),
    after: FileFacts.optional(),
  })
  .meta({ id: 'PathChange' });
export type PathChange = z.infer<typeof PathChange>;

/** How many paths differ in which way. */
export const DiffTotals = z
  .object({
    added: z.number().int(),
    removed: z.number().int(),
    changed: z.number().int(),
    retyped: z.number().int(),
    metadata: z.number().int(),
    bytes_before: z.number().int().meta({ description: 'Sizes of all files named, on the first disk' }),
    bytes_after: z.number().int().meta({ description: 'Sizes of all files named, on the second disk' }),
  })
  .meta({ id: 'DiffTotals' });
export type DiffTotals = z.infer<typeof DiffTotals>;

const time = z.string().meta({ format: 'date-time' });

/** One line of the diff stream; the last one is `complete` or `error`. */
export const DiffLine = z
  .discriminatedUnion('type', [
    PathChange.extend({ type: z.literal('change') }),
    z.object({
      type: z.literal('patch'),
      data: z.string().meta({ description: 'A piece of a unified diff' }),
    }),
    z.object({ type: z.literal('error'), error: z.string(), code: z.string(), time }),
    z.object({ type: z.literal('complete'), data: z.string(), totals: DiffTotals.optional(), time }),
  ])
  .meta({ id: 'DiffLine' });
export type DiffLine = z.infer<typeof DiffLine>;

export const DiffQuery = z.object({
  path: SpritePath.optional().meta({ description: 'Only this path and what is below it' }),
  patch: SpritePath.optional().meta({ description: 'A unified diff of this one file instead' }),
});

import { z } from 'zod';

const workingDir = z
  .string()
  .optional()
  .meta({ description: 'What relative paths are relative to; default `/home/sprite`' });
const asRoot = z.string().optional().meta({ description: '`true` acts as root, not as the sprite’s user' });
const path = z.string().meta({ description: 'Path in the sprite' });
const recursive = z.string().optional().meta({ description: '`true` includes what is in directories' });

const onPath = { path, workingDir, asRoot };

/** Queries of the file endpoints as documented; the agent reads them by `parseRead` and its like. Spec section 10. */
export const ReadFileQuery = z.object({
  ...onPath,
  start: z.string().optional().meta({ description: 'First byte; default 0' }),
  end: z.string().optional().meta({ description: 'Last byte; default the end' }),
});
export const WriteFileQuery = z.object({
  ...onPath,
  mode: z
    .string()
    .optional()
    .meta({ description: 'Octal permissions; default those of the file, 0644 for a new one' }),
  modTime: z.string().optional().meta({ description: 'Time of last change, RFC 3339 or Unix seconds' }),
  offset: z
    .string()
    .optional()
    .meta({ description: 'Writes from this byte on, in place, and cuts off what is behind' }),
  mkdirParents: z
    .string()
    .optional()
    .meta({ description: 'Accepted and without effect: missing directories are always made' }),
});
export const ListFilesQuery = z.object({
  ...onPath,
  recursive,
  itself: z
    .string()
    .optional()
    .meta({ description: '`true` describes the path itself, also when it is a directory' }),
  pattern: z.string().optional().meta({ description: 'Glob that names must match' }),
});
export const DeleteFileQuery = z.object({ ...onPath, recursive });

export const ArchiveQuery = z.object(onPath);
export const PackQuery = z.object({
  ...onPath,
  smallerThan: z.string().optional().meta({ description: 'Leaves out files of this size and larger' }),
});
export const ChecksumQuery = z.object({
  ...onPath,
  length: z.string().optional().meta({ description: 'Counts only that many bytes from the start' }),
});

const inBody = {
  workingDir,
  asRoot: z.boolean().optional(),
};
const moved = { ...inBody, source: z.string(), dest: z.string() };
const changed = { ...inBody, path: z.string(), recursive: z.boolean().optional() };

export const RenameFileBody = z.object(moved);
export const CopyFileBody = z.object({
  ...moved,
  recursive: z.boolean().optional(),
  preserveAttrs: z.boolean().optional().meta({ description: 'Keeps times and, as root, owners' }),
});
export const ChmodBody = z.object({
  ...changed,
  mode: z
    .union([z.string(), z.int()])
    .meta({ description: 'Octal text such as `0644`, or a number with the value' }),
});
export const ChownBody = z.object({
  ...changed,
  uid: z.union([z.string(), z.int()]).optional().meta({ description: 'Id or name of a user' }),
  gid: z.union([z.string(), z.int()]).optional().meta({ description: 'Id or name of a group' }),
});

export const FileEntry = z
  .object({
    name: z.string(),
    path: z.string(),
    type: z.enum(['file', 'directory', 'symlink', 'other']),
    size: z.int(),
    mode: z.string(),
    modTime: z.string(),
    isDir: z.boolean(),
    uid: z.int(),
    gid: z.int(),
    target: z.string().optional().meta({ description: 'Where a symlink points' }),
    nameBytes: z.string().optional().meta({ description: 'Base64 of a name that is no UTF-8' }),
    error: z.string().optional().meta({ description: 'Why this directory is not listed recursively' }),
  })
  .meta({ id: 'FileEntry' });

export const FileList = z
  .object({ path: z.string(), entries: z.array(FileEntry), count: z.int() })
  .meta({ id: 'FileList' });
export const WrittenFile = z
  .object({ path: z.string(), size: z.int(), mode: z.string() })
  .meta({ id: 'WrittenFile' });
export const UnpackedFiles = z
  .object({
    path: z.string(),
    count: z.int(),
    totalBytes: z.int(),
    sha256: z.string().meta({ description: 'Of the archive as it came' }),
  })
  .meta({ id: 'UnpackedFiles' });
export const FileChecksum = z
  .object({ path: z.string(), size: z.int(), sha256: z.string() })
  .meta({ id: 'FileChecksum' });
export const DeletedFiles = z
  .object({ deleted: z.array(z.string()), count: z.int() })
  .meta({ id: 'DeletedFiles' });
export const RenamedFile = z.object({ source: z.string(), dest: z.string() }).meta({ id: 'RenamedFile' });
export const CopiedFiles = z
  .object({
    source: z.string(),
    dest: z.string(),
    copied: z.array(z.object({ source: z.string(), dest: z.string() })),
    count: z.int(),
    totalBytes: z.int(),
  })
  .meta({ id: 'CopiedFiles' });
export const ChangedModes = z
  .object({ affected: z.array(z.object({ path: z.string(), mode: z.string() })), count: z.int() })
  .meta({ id: 'ChangedModes' });
export const ChangedOwners = z
  .object({
    affected: z.array(z.object({ path: z.string(), uid: z.int(), gid: z.int() })),
    count: z.int(),
  })
  .meta({ id: 'ChangedOwners' });

import {
  type FileFields,
  invalid,
  readFlag,
  readMode,
  readOffset,
  readOwner,
  readPath,
  readText,
  readTime,
} from './fields.ts';

/** More than the longest name of a file can match. */
const longestPattern = 1024;

/** What every file operation has: whose rights it is done with. */
type Rights = {
  /** done as root instead of as the sprite's user */
  readonly asRoot: boolean;
};

export type ReadRequest = Rights & {
  readonly path: string;
  /** first byte wanted */
  readonly start: number | undefined;
  /** last byte wanted */
  readonly end: number | undefined;
};

export type WriteRequest = Rights & {
  readonly path: string;
  /** permission bits; an existing file keeps its own without them, a new one gets 0644 */
  readonly mode: number | undefined;
  /** time of last change, in `s` since 1970 */
  readonly modTime: number | undefined;
  /** where in the file to write, in place; without it the file is replaced as a whole */
  readonly offset: number | undefined;
};

export type ListRequest = Rights & {
  readonly path: string;
  readonly recursive: boolean;
  /** wants the path itself, also when it is a directory */
  readonly itself: boolean;
  /** glob that names must match */
  readonly pattern: string | undefined;
};

export type DeleteRequest = Rights & { readonly path: string; readonly recursive: boolean };

export type RenameRequest = Rights & { readonly source: string; readonly dest: string };

export type CopyRequest = RenameRequest & { readonly recursive: boolean; readonly preserveAttrs: boolean };

export type ChmodRequest = Rights & {
  readonly path: string;
  readonly mode: number;
  readonly recursive: boolean;
};

export type ChownRequest = Rights & {
  readonly path: string;
  readonly uid: number | string | undefined;
  readonly gid: number | string | undefined;
  readonly recursive: boolean;
};

/** A tree to pack or unpack. */
export type ArchiveRequest = Rights & {
  readonly path: string;
  /** files of this size and larger are left out when packing */
  readonly smallerThan: number | undefined;
};

export type ChecksumRequest = Rights & {
  readonly path: string;
  /** bytes from the start that count */
  readonly length: number | undefined;
};

export function parseRead(fields: FileFields): ReadRequest {
  const [start, end] = [readOffset(fields, 'start'), readOffset(fields, 'end')];
  if (end !== undefined && end < (start ?? 0)) throw invalid('end', end, 'no less than start');
  return { ...readRights(fields), path: readPath(fields), start, end };
}

export function parseWrite(fields: FileFields): WriteRequest {
  return {
    ...readRights(fields),
    path: readPath(fields),
    mode: readMode(fields),
    modTime: readTime(fields, 'modTime'),
    offset: readOffset(fields, 'offset'),
  };
}

export function parseList(fields: FileFields): ListRequest {
  return {
    ...readRights(fields),
    path: readPath(fields),
    recursive: readFlag(fields, 'recursive'),
    itself: readFlag(fields, 'itself'),
    pattern: readPattern(fields),
  };
}

/** Every name is compared with the whole of a pattern, so that it must not be of any length. */
function readPattern(fields: FileFields): string | undefined {
  const pattern = readText(fields, 'pattern') || undefined;
  if ((pattern?.length ?? 0) <= longestPattern) return pattern;
  throw invalid('pattern', pattern, `a glob of at most ${longestPattern} characters`);
}

export function parseDelete(fields: FileFields): DeleteRequest {
  return { ...readRights(fields), path: readPath(fields), recursive: readFlag(fields, 'recursive') };
}

export function parseRename(fields: FileFields): RenameRequest {
  return { ...readRights(fields), source: readPath(fields, 'source'), dest: readPath(fields, 'dest') };
}

export function parseCopy(fields: FileFields): CopyRequest {
  return {
    ...parseRename(fields),
    recursive: readFlag(fields, 'recursive'),
    preserveAttrs: readFlag(fields, 'preserveAttrs'),
  };
}

export function parseChmod(fields: FileFields): ChmodRequest {
  const mode = readMode(fields);
  if (mode === undefined) throw invalid('mode', '', 'octal text such as 0644');
  return { ...parseDelete(fields), mode };
}

export function parseChown(fields: FileFields): ChownRequest {
  const [uid, gid] = [readOwner(fields, 'uid'), readOwner(fields, 'gid')];
  if (uid === undefined && gid === undefined) throw invalid('uid', '', 'an id or a name, or give gid');
  return { ...parseDelete(fields), uid, gid };
}

export function parseArchive(fields: FileFields): ArchiveRequest {
  return { ...readRights(fields), path: readPath(fields), smallerThan: readOffset(fields, 'smallerThan') };
}

export function parseChecksum(fields: FileFields): ChecksumRequest {
  return { ...readRights(fields), path: readPath(fields), length: readOffset(fields, 'length') };
}

function readRights(fields: FileFields): Rights {
  return { asRoot: readFlag(fields, 'asRoot') };
}

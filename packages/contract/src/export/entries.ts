import { z } from 'zod';
import { ExportProblem } from './manifest.ts';

/** Longest path of a file in an archive, in bytes. */
export const mostPathBytes = 32_768;
/** Largest piece of content, in bytes. */
export const mostChunkBytes = 1024 * 1024;
/** Highest owner; what is above is nobody's in a sprite. */
export const mostOwnerId = 65_535;

/** Bytes as text where they are UTF-8, and as `{"b64": …}` where they are not. */
const Bytes = z.union([
  z.string().max(mostPathBytes),
  z.strictObject({ b64: z.base64().max(mostPathBytes * 2) }),
]);
export type ExportBytes = z.infer<typeof Bytes>;

const ownerId = z.int().min(0).max(mostOwnerId);
const offset = z.int().nonnegative();

/** A piece of a file's content: where it belongs, and the hash it is checked by; or a hole. */
const Chunk = z.union([
  z.strictObject({
    at: offset,
    length: z.int().positive().max(mostChunkBytes),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({ at: offset, length: z.int().positive(), hole: z.literal(true) }),
]);
export type ExportChunk = z.infer<typeof Chunk>;
const chunks = z.array(Chunk).max(20_000);

const meta = {
  path: Bytes,
  mode: z.int().min(0).max(0o7777),
  uid: ownerId,
  gid: ownerId,
  /** nanoseconds since 1970, as a decimal number in a string */
  mtime: z.string().regex(/^-?\d{1,20}$/),
  xattrs: z.array(z.tuple([z.string().min(1).max(255), z.base64().max(100_000)])).max(1000),
};

/** One line of a listing: a step from the files of the base to those of the tree. */
export const ExportEntry = z.discriminatedUnion('op', [
  /** takes a name away, with everything below it */
  z.strictObject({ op: z.literal('remove'), path: Bytes }),
  /** makes an empty directory, or a directory that is there like this */
  z.strictObject({ op: z.literal('directory'), ...meta, isNew: z.boolean() }),
  /** makes a file of holes, or a file that is there like this; then the chunks are put in */
  z.strictObject({ op: z.literal('file'), ...meta, isNew: z.boolean(), size: offset, chunks }),
  /** further chunks of the file of the line before */
  z.strictObject({ op: z.literal('more'), chunks }),
  /** another name of a file */
  z.strictObject({ op: z.literal('link'), path: Bytes, to: Bytes }),
  z.strictObject({ op: z.literal('symlink'), ...meta, target: Bytes }),
  /** something without content; `whiteout` hides a name of the image */
  z.strictObject({ op: z.literal('node'), ...meta, kind: z.enum(['fifo', 'socket', 'whiteout']) }),
  /** sets when a directory was last changed, after everything in it has been made */
  z.strictObject({ op: z.literal('seal'), path: Bytes, mtime: meta.mtime }),
]);
export type ExportEntry = z.infer<typeof ExportEntry>;

/** The last member of an archive. */
export const ExportEnd = z.strictObject({
  entries: offset,
  content_bytes: offset,
  /** what could not be read, the first thousand of them */
  problems: z.array(ExportProblem).max(1000),
  problem_count: offset,
  /** of all bytes of the archive before this member, uncompressed */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ExportEnd = z.infer<typeof ExportEnd>;

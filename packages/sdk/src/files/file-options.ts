import type { CallOptions } from '../options.ts';

/** Whose rights a file operation has: the sprite's user's, or root's. */
export type RootOptions = { readonly asRoot?: boolean };

export type ReadOptions = CallOptions &
  RootOptions & {
    /** first byte wanted */
    readonly start?: number;
    /** last byte wanted */
    readonly end?: number;
    readonly encoding?: 'utf8';
  };

export type WriteOptions = CallOptions &
  RootOptions & {
    /** permission bits; an existing file keeps its own without them */
    readonly mode?: number;
    readonly modTime?: Date;
    /** writes from this byte on, in place, and cuts off what is behind */
    readonly offset?: number;
  };

export type ListFilesOptions = CallOptions &
  RootOptions & {
    readonly recursive?: boolean;
    /** glob that names must match */
    readonly pattern?: string;
  };

export type MkdirOptions = CallOptions & RootOptions & { readonly mode?: number };
export type RmOptions = CallOptions &
  RootOptions & { readonly recursive?: boolean; readonly force?: boolean };
export type CopyOptions = CallOptions &
  RootOptions & { readonly recursive?: boolean; readonly preserveAttrs?: boolean };
export type ChmodOptions = CallOptions & RootOptions & { readonly recursive?: boolean };
export type ChecksumOptions = CallOptions & RootOptions & { readonly length?: number };
export type PackOptions = CallOptions & RootOptions & { readonly smallerThan?: number };
export type WatchOptions = CallOptions & { readonly recursive?: boolean };

export type ChownOptions = CallOptions &
  RootOptions & {
    readonly uid?: number | string;
    readonly gid?: number | string;
    readonly recursive?: boolean;
  };

/** A file or directory of a sprite. */
export type FileInfo = {
  readonly name: string;
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  readonly size: number;
  /** permission bits */
  readonly mode: number;
  readonly modTime: Date;
  readonly isDir: boolean;
  readonly uid: number;
  readonly gid: number;
  /** where a symlink points */
  readonly target?: string | undefined;
  /** base64 of a name that is no UTF-8 */
  readonly nameBytes?: string | undefined;
  /** why a recursive list does not hold what is in this directory */
  readonly error?: string | undefined;
};

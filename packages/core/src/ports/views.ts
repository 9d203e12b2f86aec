import type { PathChange } from '@sprites/contract';
import type { Quiet } from './disks.ts';

/** Files to look at: a disk over the image that it changes. */
export type ViewSource = {
  readonly diskId: string;
  /** the disk itself with undefined */
  readonly checkpointId: string | undefined;
  /** absolute host path of the base image file */
  readonly imageFile: string;
  readonly imageDigest: string;
  /** makes the disk itself stand still while it is copied */
  readonly quiet?: Quiet;
};

/** Two disks to compare, and where. */
export type Comparison = {
  readonly before: ViewSource;
  readonly after: ViewSource;
  /** absolute path inside */
  readonly path: string;
};

/**
 * Looks into disks that no machine runs from. What is on them is hostile: nothing on them is followed, opened for its
 * side effects, or believed. Leaving an iteration early, or the signal, ends the work and releases what it held.
 */
export interface DiskViews {
  /** All differences at and below the path, in byte order, some at a time. Throws `checkpoint_not_found`, `out_of_space`. */
  compare(comparison: Comparison, signal: AbortSignal): AsyncIterable<readonly PathChange[]>;
  /** A unified diff of the text file at the path, in pieces. Throws `path_not_found`, `not_text` as well. */
  patch(comparison: Comparison, signal: AbortSignal): AsyncIterable<string>;
}

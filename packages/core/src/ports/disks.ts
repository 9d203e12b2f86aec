/** What a disk costs, in bytes of the pool. */
export type DiskUsage = {
  /** bytes the disk holds, shared or not */
  readonly usedBytes: number;
  /** bytes nobody else shares */
  readonly ownBytes: number;
};

/** What a disk and its checkpoints cost, in bytes of the pool. */
export type DiskStorage = {
  readonly disk: DiskUsage;
  readonly checkpoints: readonly (DiskUsage & { readonly id: string })[];
  /** bytes that checkpoints hold and the disk does not */
  readonly checkpointsBytes: number;
};

/** Runs the given step, the copying of a disk, at a moment when the disk stands still; settles no earlier than the step. */
export type Quiet = (clone: () => Promise<void>) => Promise<void>;

/**
 * Where sprites' writable disks live, and the checkpoints of them. A disk is named by its sprite's id; a checkpoint by
 * `v` and a number, or `auto-` and letters, digits and dashes. Operations on one disk must not overlap.
 */
export interface Disks {
  /** Makes an empty formatted disk; it is durable when the promise resolves. Throws `out_of_space`. */
  create(id: string, sizeBytes: number): Promise<void>;
  /** Removes the disk, if it is there, and all its checkpoints; it must not be in use by a machine. */
  remove(id: string): Promise<void>;
  /** Ids of all complete disks. */
  list(): Promise<readonly string[]>;
  /** Absolute host path of the disk's image file, for the driver. */
  file(id: string): string;
  usage(id: string): Promise<DiskUsage>;
  /**
   * Saves the disk as it is under a checkpoint id that is not taken; durable when the promise resolves. The disk must be
   * quiet: stopped, or made so by `quiet`, within which only what must be is done. Throws `out_of_space`.
   */
  saveCheckpoint(id: string, checkpointId: string, quiet?: Quiet): Promise<void>;
  /**
   * Replaces the disk by a copy of the checkpoint in one step: after a crash it is the old disk or the new one. A disk
   * that is missing is made. No machine may use it. Throws `out_of_space`.
   */
  restoreCheckpoint(id: string, checkpointId: string): Promise<void>;
  /**
   * Makes the disk of a new sprite as a copy of another's checkpoint or, with undefined, of its disk, which must be quiet
   * as for `saveCheckpoint`. Throws `out_of_space`.
   */
  fork(fromId: string, checkpointId: string | undefined, toId: string, quiet?: Quiet): Promise<void>;
  /** Whether anything was written to the disk since it was saved as this checkpoint; cheap, also while a machine uses it. */
  hasChangedSince(id: string, checkpointId: string): Promise<boolean>;
  /** Removes the checkpoint if it is there. */
  removeCheckpoint(id: string, checkpointId: string): Promise<void>;
  /** Ids of all complete checkpoints of a disk. */
  listCheckpoints(id: string): Promise<readonly string[]>;
  /** Whether the disk is there, in whatever state. */
  has(id: string): Promise<boolean>;
  /** What is plainly wrong with the disk, which no machine may use, in words about it; empty when nothing is. */
  inspect(id: string): Promise<string>;
  /** The same for a checkpoint. */
  inspectCheckpoint(id: string, checkpointId: string): Promise<string>;
  /** Absolute host path of a checkpoint's image file, to look into it. Throws `checkpoint_not_found`. */
  checkpointFile(id: string, checkpointId: string): Promise<string>;
  /** What a checkpoint costs. */
  checkpointUsage(id: string, checkpointId: string): Promise<DiskUsage>;
  /** Measures the disk and its checkpoints, off the way of everything else. */
  measure(id: string): Promise<DiskStorage>;
  /** Throws `out_of_space` when the pool has too little left for another disk or checkpoint. */
  ensureSpace(): Promise<void>;
  /** Free and total bytes of the pool. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

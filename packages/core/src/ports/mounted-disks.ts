/** The disk of a machine while it is mounted; all sizes in bytes. */
export type MountedDisk = {
  readonly spriteId: string;
  /** what the disk has not given to any file */
  readonly freeBytes: number;
  /** what of that it may still give */
  readonly growBytes: number;
  /** what it has given already but not yet taken from the pool */
  readonly pendingBytes: number;
  /** everything written to it since it was mounted */
  readonly writtenBytes: number;
  /** how often its file system found damage in it */
  readonly errorCount: number;
};

export type GrowthLimits = {
  readonly growBytes: number;
  readonly unwrittenBytes: number | undefined;
};

/** Holds back what machines write, for when the pool below their disks runs out of space. */
export interface MountedDisks {
  list(): readonly MountedDisk[];
  /**
   * Lets the disk give files `growBytes` more than it had when it was listed: beyond that programs get a clean `ENOSPC`,
   * and the space of files they remove they may use again. Lets about `unwrittenBytes` of its data wait in memory, any
   * with undefined: beyond that programs wait.
   */
  limit(disk: MountedDisk, limits: GrowthLimits): void;
  /** Takes the limits away. */
  unlimit(spriteId: string): void;
  /**
   * Makes everything that writes to the disk wait until it is thawed or its machine stopped; reading goes on. False when
   * that could not be now, as the machine is starting, stopping or being copied.
   */
  freeze(spriteId: string): Promise<boolean>;
  thaw(spriteId: string): Promise<void>;
}

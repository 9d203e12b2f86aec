/** What a disk costs, in bytes of the pool. */
export type DiskUsage = {
  /** bytes the disk holds, shared or not */
  readonly usedBytes: number;
  /** bytes nobody else shares */
  readonly ownBytes: number;
};

/** Where sprites' writable disks live. A disk is named by its sprite's id. */
export interface Disks {
  /** Makes an empty formatted disk; it is durable when the promise resolves. Throws `out_of_space`. */
  create(id: string, sizeBytes: number): Promise<void>;
  /** Removes the disk if it is there; it must not be in use by a machine. */
  remove(id: string): Promise<void>;
  /** Ids of all complete disks. */
  list(): Promise<readonly string[]>;
  /** Absolute host path of the disk's image file, for the driver. */
  file(id: string): string;
  usage(id: string): Promise<DiskUsage>;
  /** Free and total bytes of the pool. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

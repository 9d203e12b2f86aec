/** The checksum of a checkpoint, and what making it cost. */
export type Checksum = {
  /** one hash over the checksums of all parts of the disk */
  readonly root: string;
  /** bytes the checkpoint holds, shared or not */
  readonly sizeBytes: number;
  /** bytes that had to be read */
  readonly readBytes: number;
};

export type Verification = {
  /** what is wrong, in words; empty when the checkpoint is what it was */
  readonly health: string;
  readonly sizeBytes: number;
  readonly readBytes: number;
};

/** Proves that checkpoints are what they were when they were made. Calls are done one after the other, slowly. */
export interface Checksums {
  /**
   * Makes the checksum of a checkpoint; what is kept of it is durable when the promise resolves. Parts that it shares
   * with checkpoints of the same disk in `like`, given by id and root, are not read again. Throws `checkpoint_not_found`.
   */
  make(
    diskId: string,
    checkpointId: string,
    like: readonly { readonly id: string; readonly root: string }[],
  ): Promise<Checksum>;
  /** Compares a checkpoint with its checksum. Within one `pass` what several checkpoints share is read once. */
  verify(
    diskId: string,
    checkpoint: { readonly id: string; readonly root: string },
    pass: string,
  ): Promise<Verification>;
}

/** A saved disk that programs in a sprite may read. */
export type InsideView = {
  /** its name inside */
  readonly id: string;
  /** absolute host path of the disk's image file */
  readonly file: string;
  /** absolute host path of the base image file it goes over */
  readonly imageFile: string;
  readonly imageDigest: string;
};

/** Shows saved disks of sprites to the programs in them, at `/.sprite/checkpoints/<id>`, as whole trees over their image. */
export interface InsideViews {
  /** false where machines cannot be given anything while they run */
  readonly isSupported: boolean;
  /**
   * Makes exactly these appear in a running machine; what was there and still is wanted is not touched. What goes can be
   * read to its end by who has it open. Nothing happens without a machine.
   */
  show(spriteId: string, views: readonly InsideView[]): Promise<void>;
}

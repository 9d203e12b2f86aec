import type { ExportEnd, ExportManifest, ExportProblem } from '@sprites/contract/export';
import type { Quiet } from './disks.ts';

/** What an archive is to hold the files of: a checkpoint or, with undefined, the live disk. */
export type TreeSource = {
  readonly treeId: string;
  readonly checkpointId: string | undefined;
  /** when it was copied, at the latest, in `ms` since 1970 */
  readonly takenAtMs: number;
};

/** Files that can be read, and how much of them there is at most. */
export type ReadableTree = {
  readonly treeId: string;
  readonly mostBytes: number;
  readonly mostEntries: number;
};

/** Copies of disks that go into an archive; they are removed when it is packed or closed. */
export type OutgoingTrees = AsyncDisposable & {
  /** Finds out what of it can be read. Throws `checkpoint_damaged` when nothing can. */
  measure(): Promise<{
    readonly readable: readonly ReadableTree[];
    readonly problems: readonly ExportProblem[];
  }>;
  /** The archive, compressed, as a stream with back-pressure. */
  pack(manifest: ExportManifest): AsyncIterable<Uint8Array>;
};

/** An archive whose beginning was read. Closing it ends the reading. */
export type IncomingArchive = AsyncDisposable & {
  readonly manifest: ExportManifest;
  /**
   * Makes the disk of a new sprite and its checkpoints from the rest of the archive; all of it is durable when this
   * resolves, and nothing is left when it rejects. Throws `invalid_request`, `out_of_space`.
   */
  unpack(id: string, sizeBytes: number): Promise<ExportEnd>;
};

/** Makes archives of disks, and disks of archives, which come from anywhere and are believed only as far as checked. */
export interface Archives {
  /** Copies the disk and checkpoints of a sprite as they are now; the live disk must be quiet, as for a checkpoint. */
  copy(id: string, trees: readonly TreeSource[], quiet: Quiet): Promise<OutgoingTrees>;
  /** Reads the beginning of an archive. Throws `invalid_request` when it is none, `unavailable` when too many are open. */
  open(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IncomingArchive>;
}

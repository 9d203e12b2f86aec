import type { CallOptions } from './options.ts';

/** When a sprite is saved by itself; what is left out stays, and null follows the server. */
export type AutoCheckpointOptions = {
  /** seconds between two checkpoints while the disk changes */
  readonly everyS?: number | 'off' | null;
  /** of how many hours the newest stays */
  readonly keepHourly?: number | null;
  /** of how many days the newest stays */
  readonly keepDaily?: number | null;
};

/** When a sprite is saved by itself, as it is in force. */
export type AutoCheckpoints = {
  readonly everyS: number | 'off';
  readonly keepHourly: number;
  readonly keepDaily: number;
};

/** A saved disk of a sprite, or the live one under the id `Current`. */
export type Checkpoint = {
  readonly id: string;
  readonly createTime: Date;
  readonly comment?: string;
  /** the checkpoint its disk was based on */
  readonly sourceId?: string;
  /** all checkpoints it descends from, oldest first */
  readonly history: readonly string[];
  readonly isAuto: boolean;
  /** empty when healthy */
  readonly health: string;
  /** bytes its disk holds, shared or not */
  readonly sizeBytes?: number;
  /** bytes only it holds: freed when it is deleted */
  readonly ownBytes?: number;
  /** bytes other disks or checkpoints hold as well */
  readonly sharedBytes?: number;
};

export type ListCheckpointsOptions = CallOptions & {
  /** only this checkpoint and those that descend from it */
  readonly history?: string;
  /** automatic ones too */
  readonly includeAuto?: boolean;
};

export type RestorePathsOptions = CallOptions & {
  /** remove those paths that the checkpoint does not have; default is to refuse them */
  readonly remove?: boolean;
};

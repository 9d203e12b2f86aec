/** What the operator decides about sprites. */
export type Settings = {
  /** version of this server and of the agent it ships */
  readonly version: string;
  /** image of a sprite created without one */
  readonly defaultImage: string;
  /** most vCPUs of a sprite */
  readonly cpus: number;
  /** most memory of a sprite in `MiB` */
  readonly memoryMb: number;
  /** size of a sprite's disk in `GiB` */
  readonly storageGb: number;
  /** most processes and threads of a sprite */
  readonly maxProcesses: number;
  /** most sprites on this server */
  readonly maxSprites: number;
  /** machines that are kept running for sprites to come */
  readonly readyMachines: number;
  /** longest time a request waits for a sprite to wake, in `ms` */
  readonly wakeTimeoutMs: number;
  /** when sprites are saved by themselves, and how many of these checkpoints stay */
  readonly autoCheckpoints: {
    readonly everyS: number | 'off';
    readonly keepHourly: number;
    readonly keepDaily: number;
  };
  /** seconds of idleness until a running sprite is frozen in memory */
  readonly warmAfterS: number | 'never';
  /** seconds in memory until a warm sprite is stopped */
  readonly coldAfterS: number | 'never';
  /** available memory of the host below which the longest-warm sprites are stopped, in bytes; 0 for never */
  readonly memoryReserveBytes: number;
  /** whether the memory of sprites that get warm is moved to swap */
  readonly reclaimWarm: boolean;
  /** longest time a create waits for capacity, in `ms` */
  readonly capacityWaitMs: number;
};

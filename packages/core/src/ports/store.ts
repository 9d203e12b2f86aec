import type { EgressVerdict, NetworkPolicy, PrivilegesPolicy, ResourcesPolicy } from '@sprites/contract';

/** An organisation: owner of sprites and tokens. */
export type OrgRecord = {
  readonly id: string;
  readonly slug: string;
  /** short lower-case id used in sprite host names */
  readonly urlId: string;
  readonly createdAt: string;
};

/** A bearer token; only the hash of its secret is kept. */
export type TokenRecord = {
  readonly id: string;
  readonly orgId: string;
  /** lower-case hex sha-256 of the secret */
  readonly secretHash: string;
  readonly description: string;
  readonly createdAt: string;
};

export type SpriteStatus = 'cold' | 'warm' | 'running';

/** A sprite as it is kept. Timestamps are RFC 3339 with milliseconds. */
export type SpriteRecord = {
  readonly id: string;
  readonly orgId: string;
  readonly name: string;
  readonly status: SpriteStatus;
  /** small number, unique among all sprites that have a disk */
  readonly slot: number;
  readonly incarnation: number;
  readonly imageName: string;
  readonly imageDigest: string;
  readonly urlAuth: string;
  readonly privateAccess: string | undefined;
  readonly labels: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly config: {
    readonly ram_mb?: number | undefined;
    readonly cpus?: number | undefined;
    readonly region?: string | undefined;
    readonly storage_gb?: number | undefined;
  };
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly lastRunningAt: string | undefined;
  readonly lastWarmingAt: string | undefined;
  readonly lastStartedAt: string | undefined;
  readonly lastActiveAt: string | undefined;
  /** set while the sprite is being deleted; it is invisible from then on */
  readonly deletedAt: string | undefined;
  /** number of the last checkpoint a user made; numbers are never given twice */
  readonly checkpointCount: number;
  /** the checkpoint the live disk is based on */
  readonly sourceCheckpoint: string | undefined;
  /** set while a restore or an upgrade replaces disk or image: a server that finds it goes back */
  readonly restoring: Restoring | undefined;
  /** how it wants to be saved by itself; undefined members follow the server */
  readonly autoCheckpoints: AutoCheckpoints | undefined;
  /** how long it may be idle; undefined members follow the server */
  readonly idle: IdleWindows | undefined;
  /** when it got its present status */
  readonly stateSince: string | undefined;
  readonly lastWake: WakeRecord | undefined;
  readonly lastSleep: SleepRecord | undefined;
};

/** The way back from a restore or an upgrade. */
export type Restoring = {
  /** checkpoint that is being put in place; undefined when only the image changes */
  readonly to?: string | undefined;
  /** checkpoint of the disk from before; undefined when that disk was gone */
  readonly undo?: string | undefined;
  /** digest of the image from before; undefined when it stays */
  readonly imageDigest?: string | undefined;
};

/** When a sprite is saved by itself, and how many of these checkpoints stay. */
export type AutoCheckpoints = {
  readonly everyS?: number | 'off' | undefined;
  readonly keepHourly?: number | undefined;
  readonly keepDaily?: number | undefined;
};

/** Seconds of idleness until a running sprite gets warm, and a warm one cold. */
export type IdleWindows = {
  readonly warmAfterS?: number | 'never' | undefined;
  readonly coldAfterS?: number | 'never' | undefined;
};

/** A wake that is over: what the sprite was before, how long the wake took, and what for. */
export type WakeRecord = { readonly kind: 'warm' | 'cold'; readonly tookMs: number; readonly cause: string };

/** A sleep: what the sprite became, and why. */
export type SleepRecord = {
  readonly kind: 'warm' | 'cold';
  readonly cause: string;
  /** true when somebody asked for it although the sprite may have been busy */
  readonly forced?: boolean;
};

/** Something that happened to a sprite. */
export type EventRecord = {
  readonly spriteId: string;
  /** counts up from 1 in each sprite */
  readonly sequence: number;
  readonly at: string;
  readonly type: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;
};

/** Which events of a sprite: behind the one of a number, from a time on, and at most so many of the newest. */
export type EventQuery = {
  readonly spriteId: string;
  readonly after?: number | undefined;
  readonly from?: string | undefined;
  readonly limit: number;
};

/** A saved disk of a sprite. */
export type CheckpointRecord = {
  readonly spriteId: string;
  readonly id: string;
  readonly comment: string | undefined;
  readonly createdAt: string;
  /** the checkpoint its disk was based on */
  readonly sourceId: string | undefined;
  readonly isAuto: boolean;
  /** why it cannot be restored; empty when it can */
  readonly health: string;
  /** why the server made it; undefined when a user did */
  readonly cause?: 'restore' | 'upgrade' | 'interval' | undefined;
  /** image its files lie over */
  readonly imageDigest?: string | undefined;
  /** bytes its disk holds, shared or not; undefined until they were counted */
  readonly sizeBytes?: number | undefined;
  /** root of its checksums; undefined until they are made */
  readonly checksum?: string | undefined;
  /** when its content was last compared with its checksums */
  readonly verifiedAt?: string | undefined;
  /** position among the sprite's checkpoints, in the order they were made */
  readonly sequence: number;
};

/** What is found out about a checkpoint after it was made. */
export type CheckpointPatch = Partial<
  Pick<CheckpointRecord, 'health' | 'sizeBytes' | 'checksum' | 'verifiedAt'>
>;

/** A machine that runs before it is anybody's sprite. */
export type PooledRecord = { readonly id: string; readonly slot: number };

/** What is set for a sprite beyond the server's defaults. */
export type SpritePolicies = {
  readonly network?: NetworkPolicy | undefined;
  readonly privileges?: PrivilegesPolicy | undefined;
  readonly resources?: ResourcesPolicy | undefined;
};

/** What a sprite asked for by one name with one outcome, or by an address without a name. Times in `ms` since the epoch. */
export type EgressRecord = {
  readonly name: string | undefined;
  readonly verdict: EgressVerdict;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** newest last */
  readonly addresses: readonly string[];
};

export type SpritePatch = Partial<Omit<SpriteRecord, 'id' | 'orgId' | 'name' | 'slot'>>;

export type SpriteListQuery = {
  readonly orgId: string;
  readonly prefix?: string;
  /** return sprites whose name sorts after this */
  readonly after?: string;
  readonly limit: number;
};

/** Everything that must survive the server. Each write is durable when its promise resolves. */
export interface Store {
  insertOrg(org: OrgRecord): Promise<void>;
  findOrgBySlug(slug: string): Promise<OrgRecord | undefined>;
  findOrg(id: string): Promise<OrgRecord | undefined>;
  findOrgByUrlId(urlId: string): Promise<OrgRecord | undefined>;
  insertToken(token: TokenRecord): Promise<void>;
  /** Inserts the token, or replaces the one with the same id. */
  putToken(token: TokenRecord): Promise<void>;
  findToken(id: string): Promise<TokenRecord | undefined>;

  /**
   * Inserts the sprite with the lowest slot below `capacity` that no sprite and no machine of the pool has.
   * Throws `sprite_already_exists` when the org has a visible sprite of that name, `unavailable` when no slot is free.
   */
  insertSprite(sprite: Omit<SpriteRecord, 'slot'>, capacity: number): Promise<SpriteRecord>;
  /** Inserts the sprite as `insertSprite` does, together with its checkpoints in their order: both or none. */
  insertSpriteWithCheckpoints(
    sprite: Omit<SpriteRecord, 'slot'>,
    checkpoints: readonly Omit<CheckpointRecord, 'sequence'>[],
    capacity: number,
  ): Promise<SpriteRecord>;
  /**
   * Keeps the lowest free slot below `capacity` for a machine of the pool with this id, which is no sprite yet. Throws
   * `unavailable` when no slot is free.
   */
  insertPooled(id: string, capacity: number): Promise<PooledRecord>;
  /**
   * Inserts the sprite in place of the machine of the pool with its id, whose slot it gets; undefined when there is none.
   * Throws `sprite_already_exists`, and the machine stays in the pool.
   */
  claimPooled(sprite: Omit<SpriteRecord, 'slot'>): Promise<SpriteRecord | undefined>;
  /** Frees the slot of a machine of the pool, if there is one with this id. */
  removePooled(id: string): Promise<void>;
  /** Machines of the pool, also those an earlier server left: for start-up repair. */
  listPooled(): Promise<readonly PooledRecord[]>;
  /** A sprite that is not being deleted. */
  findSprite(orgId: string, name: string): Promise<SpriteRecord | undefined>;
  findSpriteById(id: string): Promise<SpriteRecord | undefined>;
  /** Sprites of an org by name, without those being deleted. */
  listSprites(query: SpriteListQuery): Promise<readonly SpriteRecord[]>;
  countByStatus(orgId: string): Promise<Readonly<Record<SpriteStatus, number>>>;
  /** Every sprite of every org, also those being deleted: for start-up repair. */
  listAllSprites(): Promise<readonly SpriteRecord[]>;
  /** Changes the given members and returns the result, or undefined when the sprite is gone. */
  updateSprite(id: string, patch: SpritePatch): Promise<SpriteRecord | undefined>;
  /** Adds a checkpoint after those the sprite has; its disk must be durable already. */
  insertCheckpoint(checkpoint: Omit<CheckpointRecord, 'sequence'>): Promise<CheckpointRecord>;
  findCheckpoint(spriteId: string, id: string): Promise<CheckpointRecord | undefined>;
  /** All checkpoints of a sprite in the order they were made. */
  listCheckpoints(spriteId: string): Promise<readonly CheckpointRecord[]>;
  /** Healthy checkpoints of all sprites that have no checksum yet, at most `limit`. */
  listCheckpointsWithoutChecksum(limit: number): Promise<readonly CheckpointRecord[]>;
  /** Notes whether a checkpoint can be restored. */
  setCheckpointHealth(spriteId: string, id: string, health: string): Promise<void>;
  /** Changes the given members; false when the checkpoint is gone. */
  updateCheckpoint(spriteId: string, id: string, patch: CheckpointPatch): Promise<boolean>;
  removeCheckpoint(spriteId: string, id: string): Promise<void>;
  /** Adds events behind those their sprites have, and keeps the newest `keep` of each; those of unknown sprites are dropped. */
  appendEvents(events: readonly Omit<EventRecord, 'sequence'>[], keep: number): Promise<void>;
  /** The newest events that the query asks for, oldest first. */
  listEvents(query: EventQuery): Promise<readonly EventRecord[]>;
  /** The policies of a sprite; it need not exist yet. */
  findPolicies(spriteId: string): Promise<SpritePolicies>;
  /** Sets the members that the patch names, all or none; undefined removes. The sprite need not exist yet. */
  updatePolicies(spriteId: string, patch: SpritePolicies): Promise<void>;
  /** The log of what a sprite reached, as it was put last. */
  findEgress(spriteId: string): Promise<readonly EgressRecord[]>;
  /** Replaces the logs of these sprites; those of unknown sprites are dropped. */
  putEgress(logs: ReadonlyMap<string, readonly EgressRecord[]>): Promise<void>;
  /** Forgets the sprite with its checkpoints, policies and events; its slot and name are free again. */
  removeSprite(id: string): Promise<void>;
  close(): Promise<void>;
}

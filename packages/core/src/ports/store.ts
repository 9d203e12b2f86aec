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
  insertToken(token: TokenRecord): Promise<void>;
  /** Inserts the token, or replaces the one with the same id. */
  putToken(token: TokenRecord): Promise<void>;
  findToken(id: string): Promise<TokenRecord | undefined>;

  /**
   * Inserts the sprite with the lowest free slot below `capacity`.
   * Throws `sprite_already_exists` when the org has a visible sprite of that name, `unavailable` when no slot is free.
   */
  insertSprite(sprite: Omit<SpriteRecord, 'slot'>, capacity: number): Promise<SpriteRecord>;
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
  /** Forgets the sprite; its slot and name are free again. */
  removeSprite(id: string): Promise<void>;
  close(): Promise<void>;
}

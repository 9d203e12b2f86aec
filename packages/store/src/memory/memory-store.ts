import { SpriteError } from '@sprites/contract';
import type {
  CheckpointPatch,
  CheckpointRecord,
  EgressRecord,
  EventQuery,
  EventRecord,
  OrgRecord,
  PooledRecord,
  SpriteListQuery,
  SpritePatch,
  SpritePolicies,
  SpriteRecord,
  SpriteStatus,
  Store,
  TokenRecord,
} from '@sprites/core';

/** A store that forgets everything when it is dropped; for tests. */
export class MemoryStore implements Store {
  readonly #orgs = new Map<string, OrgRecord>();
  readonly #tokens = new Map<string, TokenRecord>();
  readonly #sprites = new Map<string, SpriteRecord>();
  readonly #pooled = new Map<string, PooledRecord>();
  #checkpoints: readonly CheckpointRecord[] = [];
  readonly #events = new Map<string, readonly EventRecord[]>();
  readonly #policies = new Map<string, SpritePolicies>();
  readonly #egress = new Map<string, readonly EgressRecord[]>();
  readonly #lastSequences = new Map<string, number>();

  async insertOrg(org: OrgRecord): Promise<void> {
    this.#orgs.set(org.id, org);
  }

  async findOrgBySlug(slug: string): Promise<OrgRecord | undefined> {
    return this.#orgs.values().find((org) => org.slug === slug);
  }

  async findOrg(id: string): Promise<OrgRecord | undefined> {
    return this.#orgs.get(id);
  }

  async findOrgByUrlId(urlId: string): Promise<OrgRecord | undefined> {
    return this.#orgs.values().find((org) => org.urlId === urlId);
  }

  async insertToken(token: TokenRecord): Promise<void> {
    this.#tokens.set(token.id, token);
  }

  async putToken(token: TokenRecord): Promise<void> {
    this.#tokens.set(token.id, token);
  }

  async findToken(id: string): Promise<TokenRecord | undefined> {
    return this.#tokens.get(id);
  }

  async insertSprite(sprite: Omit<SpriteRecord, 'slot'>, capacity: number): Promise<SpriteRecord> {
    this.#refuseTwin(sprite);
    const inserted = { ...sprite, slot: this.#freeSlot(capacity) };
    this.#sprites.set(sprite.id, inserted);
    return inserted;
  }

  async insertSpriteWithCheckpoints(
    sprite: Omit<SpriteRecord, 'slot'>,
    checkpoints: readonly Omit<CheckpointRecord, 'sequence'>[],
    capacity: number,
  ): Promise<SpriteRecord> {
    const inserted = await this.insertSprite(sprite, capacity);
    for (const checkpoint of checkpoints) await this.insertCheckpoint(checkpoint);
    return inserted;
  }

  async insertPooled(id: string, capacity: number): Promise<PooledRecord> {
    const pooled = { id, slot: this.#freeSlot(capacity) };
    this.#pooled.set(id, pooled);
    return pooled;
  }

  async claimPooled(sprite: Omit<SpriteRecord, 'slot'>): Promise<SpriteRecord | undefined> {
    const pooled = this.#pooled.get(sprite.id);
    if (pooled === undefined) return undefined;
    this.#refuseTwin(sprite);
    this.#pooled.delete(sprite.id);
    const claimed = { ...sprite, slot: pooled.slot };
    this.#sprites.set(sprite.id, claimed);
    return claimed;
  }

  async removePooled(id: string): Promise<void> {
    this.#pooled.delete(id);
  }

  async listPooled(): Promise<readonly PooledRecord[]> {
    return [...this.#pooled.values()];
  }

  async findSprite(orgId: string, name: string): Promise<SpriteRecord | undefined> {
    return this.#visible(orgId).find((sprite) => sprite.name === name);
  }

  async findSpriteById(id: string): Promise<SpriteRecord | undefined> {
    return this.#sprites.get(id);
  }

  async listSprites({ orgId, prefix = '', after, limit }: SpriteListQuery): Promise<readonly SpriteRecord[]> {
    return this.#visible(orgId)
      .filter((sprite) => sprite.name.startsWith(prefix) && (after === undefined || sprite.name > after))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, limit);
  }

  async countByStatus(orgId: string): Promise<Readonly<Record<SpriteStatus, number>>> {
    const counts = { cold: 0, warm: 0, running: 0 };
    for (const sprite of this.#visible(orgId)) counts[sprite.status]++;
    return counts;
  }

  async listAllSprites(): Promise<readonly SpriteRecord[]> {
    return [...this.#sprites.values()];
  }

  async updateSprite(id: string, patch: SpritePatch): Promise<SpriteRecord | undefined> {
    const sprite = this.#sprites.get(id);
    if (sprite === undefined) return undefined;
    const updated = { ...sprite, ...patch };
    this.#sprites.set(id, updated);
    return updated;
  }

  async removeSprite(id: string): Promise<void> {
    this.#sprites.delete(id);
    this.#events.delete(id);
    this.#policies.delete(id);
    this.#egress.delete(id);
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.spriteId !== id);
  }

  async findPolicies(spriteId: string): Promise<SpritePolicies> {
    return this.#policies.get(spriteId) ?? {};
  }

  async updatePolicies(spriteId: string, patch: SpritePolicies): Promise<void> {
    const members = Object.entries({ ...this.#policies.get(spriteId), ...patch });
    const left = members.filter(([, policy]) => policy !== undefined);
    if (left.length === 0) this.#policies.delete(spriteId);
    else this.#policies.set(spriteId, Object.fromEntries(left));
  }

  async findEgress(spriteId: string): Promise<readonly EgressRecord[]> {
    return this.#egress.get(spriteId) ?? [];
  }

  async putEgress(logs: ReadonlyMap<string, readonly EgressRecord[]>): Promise<void> {
    for (const [spriteId, log] of logs) if (this.#sprites.has(spriteId)) this.#egress.set(spriteId, log);
  }

  async insertCheckpoint(checkpoint: Omit<CheckpointRecord, 'sequence'>): Promise<CheckpointRecord> {
    const sequence = (this.#of(checkpoint.spriteId).at(-1)?.sequence ?? 0) + 1;
    const inserted = { ...checkpoint, sequence };
    this.#checkpoints = [...this.#checkpoints, inserted];
    return inserted;
  }

  async findCheckpoint(spriteId: string, id: string): Promise<CheckpointRecord | undefined> {
    return this.#of(spriteId).find((checkpoint) => checkpoint.id === id);
  }

  async listCheckpoints(spriteId: string): Promise<readonly CheckpointRecord[]> {
    return this.#of(spriteId);
  }

  async listCheckpointsWithoutChecksum(limit: number): Promise<readonly CheckpointRecord[]> {
    const without = this.#checkpoints.filter(
      ({ checksum, health }) => checksum === undefined && health === '',
    );
    return without.slice(0, limit);
  }

  async setCheckpointHealth(spriteId: string, id: string, health: string): Promise<void> {
    this.#checkpoints = this.#checkpoints.map((checkpoint) =>
      checkpoint.spriteId === spriteId && checkpoint.id === id ? { ...checkpoint, health } : checkpoint,
    );
  }

  async updateCheckpoint(spriteId: string, id: string, patch: CheckpointPatch): Promise<boolean> {
    const isIt = (checkpoint: CheckpointRecord): boolean =>
      checkpoint.spriteId === spriteId && checkpoint.id === id;
    this.#checkpoints = this.#checkpoints.map((one) => (isIt(one) ? { ...one, ...patch } : one));
    return this.#checkpoints.some(isIt);
  }

  async removeCheckpoint(spriteId: string, id: string): Promise<void> {
    this.#checkpoints = this.#checkpoints.filter(
      (checkpoint) => checkpoint.spriteId !== spriteId || checkpoint.id !== id,
    );
  }

  #of(spriteId: string): readonly CheckpointRecord[] {
    return this.#checkpoints.filter((checkpoint) => checkpoint.spriteId === spriteId);
  }

  async appendEvents(events: readonly Omit<EventRecord, 'sequence'>[], keep: number): Promise<void> {
    for (const event of events) {
      if (!this.#sprites.has(event.spriteId)) continue;
      const sequence = (this.#lastSequences.get(event.spriteId) ?? 0) + 1;
      this.#lastSequences.set(event.spriteId, sequence);
      const before = this.#events.get(event.spriteId) ?? [];
      this.#events.set(event.spriteId, [...before, { ...event, sequence }].slice(-keep));
    }
  }

  async listEvents({ spriteId, after = 0, from = '', limit }: EventQuery): Promise<readonly EventRecord[]> {
    const events = this.#events.get(spriteId) ?? [];
    return events.filter((event) => event.sequence > after && event.at >= from).slice(-limit);
  }

  async close(): Promise<void> {}

  #refuseTwin({ orgId, name }: Pick<SpriteRecord, 'orgId' | 'name'>): void {
    if (!this.#visible(orgId).some((other) => other.name === name)) return;
    throw new SpriteError('sprite_already_exists', `sprite ${name} already exists`);
  }

  #freeSlot(capacity: number): number {
    const taken = new Set([...this.#sprites.values(), ...this.#pooled.values()].map((other) => other.slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    if (slot < capacity) return slot;
    throw new SpriteError('unavailable', `all ${capacity} places for sprites are taken`);
  }

  #visible(orgId: string): SpriteRecord[] {
    return [...this.#sprites.values()].filter(
      (sprite) => sprite.orgId === orgId && sprite.deletedAt === undefined,
    );
  }
}

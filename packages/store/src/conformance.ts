import type { CheckpointRecord, EventRecord, OrgRecord, SpriteRecord, Store } from '@sprites/core';
import { describe, expect, it, onTestFinished } from 'vitest';

const org: OrgRecord = {
  id: 'org_1',
  slug: 'personal',
  urlId: 'abcd1234',
  createdAt: '2026-01-01T00:00:00.000Z',
};

function record(name: string, more: Partial<SpriteRecord> = {}): Omit<SpriteRecord, 'slot'> {
  return {
    id: `sprite_${name}`,
    orgId: org.id,
    name,
    status: 'cold',
    incarnation: 0,
    imageName: 'minimal',
    imageDigest: 'sha256:00',
    urlAuth: 'sprite',
    privateAccess: undefined,
    labels: ['a', 'ü'],
    environment: { KEY: 'value' },
    config: { cpus: 2 },
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    lastRunningAt: undefined,
    lastWarmingAt: undefined,
    lastStartedAt: undefined,
    lastActiveAt: undefined,
    deletedAt: undefined,
    checkpointCount: 0,
    sourceCheckpoint: undefined,
    restoring: undefined,
    autoCheckpoints: undefined,
    idle: undefined,
    stateSince: undefined,
    lastWake: undefined,
    lastSleep: undefined,
    ...more,
  };
}

/** What every store must do, whatever keeps its rows. */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describeInserting(name, open);
  describePool(name, open);
  describeReading(name, open);
  describeCheckpoints(name, open);
  describeImports(name, open);
  describeEvents(name, open);
  describePolicies(name, open);
}

function describeInserting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, inserting`, () => {
    it('returns a sprite as it was inserted, with the lowest free slot', async () => {
      const store = await opened(open);
      const first = await store.insertSprite(record('one'), 10);
      expect(first).toEqual({ ...record('one'), slot: 0 });
      expect(await store.findSprite(org.id, 'one')).toEqual(first);
      expect(await store.findSpriteById(first.id)).toEqual(first);
    });

    it('gives a slot again only when its sprite is removed', async () => {
      const store = await opened(open);
      const first = await store.insertSprite(record('one'), 10);
      await store.insertSprite(record('two'), 10);
      await store.updateSprite(first.id, { deletedAt: '2026-01-02T00:00:00.000Z' });
      expect((await store.insertSprite(record('three'), 10)).slot).toBe(2);
      await store.removeSprite(first.id);
      expect((await store.insertSprite(record('four'), 10)).slot).toBe(0);
    });

    it('refuses a second visible sprite of a name in one org but not in another', async () => {
      const store = await opened(open);
      await store.insertSprite(record('one'), 10);
      await expect(store.insertSprite(record('one', { id: 'sprite_x' }), 10)).rejects.toMatchObject({
        code: 'sprite_already_exists',
      });
      await store.insertOrg({ ...org, id: 'org_2', slug: 'other', urlId: 'zzzz0000' });
      await store.insertSprite(record('one', { id: 'sprite_y', orgId: 'org_2' }), 10);
    });

    it('refuses a sprite when no slot is free', async () => {
      const store = await opened(open);
      await store.insertSprite(record('one'), 1);
      await expect(store.insertSprite(record('two'), 1)).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}

function describePool(name: string, open: () => Promise<Store>): void {
  describe(`${name}, the pool`, () => {
    it('keeps slots that no sprite gets, and gives one on to the sprite that claims it', async () => {
      const store = await opened(open);
      expect(await store.insertPooled('sprite_one', 10)).toEqual({ id: 'sprite_one', slot: 0 });
      expect((await store.insertSprite(record('two'), 10)).slot).toBe(1);
      expect(await store.insertPooled('sprite_three', 10)).toEqual({ id: 'sprite_three', slot: 2 });
      expect(await store.findSpriteById('sprite_one')).toBeUndefined();
      const claimed = await store.claimPooled(record('one', { status: 'running' }));
      expect(claimed).toEqual({ ...record('one', { status: 'running' }), slot: 0 });
      expect(await store.findSprite(org.id, 'one')).toEqual(claimed);
      expect(await store.listPooled()).toEqual([{ id: 'sprite_three', slot: 2 }]);
      expect((await store.insertSprite(record('four'), 10)).slot).toBe(3);
    });

    it('gives a machine to one claimer only', async () => {
      const store = await opened(open);
      await store.insertPooled('sprite_one', 10);
      const claims = ['a', 'b', 'c'].map((label) => store.claimPooled({ ...record('one'), name: label }));
      const won = (await Promise.all(claims)).filter((sprite) => sprite !== undefined);
      expect(won.map((sprite) => sprite.name)).toEqual(['a']);
      expect(await store.listAllSprites()).toHaveLength(1);
    });

    it('keeps a machine whose claim is refused for its name', async () => {
      const store = await opened(open);
      await store.insertSprite(record('one'), 10);
      await store.insertPooled('sprite_x', 10);
      await expect(store.claimPooled(record('one', { id: 'sprite_x' }))).rejects.toMatchObject({
        code: 'sprite_already_exists',
      });
      expect(await store.listPooled()).toEqual([{ id: 'sprite_x', slot: 1 }]);
    });

    it('frees the slot of a machine that is removed, and refuses one when no slot is free', async () => {
      const store = await opened(open);
      await store.insertPooled('sprite_one', 1);
      await expect(store.insertPooled('sprite_two', 1)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(store.insertSprite(record('two'), 1)).rejects.toMatchObject({ code: 'unavailable' });
      await store.removePooled('sprite_one');
      expect((await store.insertSprite(record('two'), 1)).slot).toBe(0);
      await store.removePooled('sprite_nobody');
    });
  });
}

function describeReading(name: string, open: () => Promise<Store>): void {
  describe(`${name}, reading and changing`, () => {
    it('hides a sprite that is being deleted and frees its name', async () => {
      const store = await opened(open);
      const first = await store.insertSprite(record('one'), 10);
      await store.updateSprite(first.id, { deletedAt: '2026-01-02T00:00:00.000Z' });
      expect(await store.findSprite(org.id, 'one')).toBeUndefined();
      expect(await store.listSprites({ orgId: org.id, limit: 10 })).toEqual([]);
      await store.insertSprite(record('one', { id: 'sprite_again' }), 10);
      expect(await store.listAllSprites()).toHaveLength(2);
    });

    it('lists by name in code point order, by prefix and in pages', async () => {
      const store = await opened(open);
      for (const name of ['b-2', 'a', 'b-1', 'b', 'c_']) await store.insertSprite(record(name), 10);
      const names = async (query: { prefix?: string; after?: string; limit: number }): Promise<string[]> =>
        (await store.listSprites({ orgId: org.id, ...query })).map((sprite) => sprite.name);
      expect(await names({ limit: 10 })).toEqual(['a', 'b', 'b-1', 'b-2', 'c_']);
      expect(await names({ prefix: 'b', limit: 2 })).toEqual(['b', 'b-1']);
      expect(await names({ prefix: 'b', after: 'b-1', limit: 2 })).toEqual(['b-2']);
      expect(await names({ prefix: '_', limit: 9 })).toEqual([]);
      expect(await names({ prefix: '%', limit: 9 })).toEqual([]);
    });

    it('changes only the given members', async () => {
      const store = await opened(open);
      const first = await store.insertSprite(record('one'), 10);
      const changed = await store.updateSprite(first.id, { status: 'running', labels: [] });
      expect(changed).toEqual({ ...first, status: 'running', labels: [] });
      expect(await store.updateSprite('sprite_nobody', { status: 'cold' })).toBeUndefined();
    });

    it('counts the visible sprites of an org by status', async () => {
      const store = await opened(open);
      const first = await store.insertSprite(record('one'), 10);
      await store.insertSprite(record('two'), 10);
      await store.updateSprite(first.id, { status: 'running' });
      expect(await store.countByStatus(org.id)).toEqual({ cold: 1, warm: 0, running: 1 });
    });

    it('keeps orgs and tokens', async () => {
      const store = await opened(open);
      const token = {
        id: 'tok_1',
        orgId: org.id,
        secretHash: 'ff',
        description: 'd',
        createdAt: org.createdAt,
      };
      await store.insertToken(token);
      await store.putToken({ ...token, secretHash: 'ee' });
      expect(await store.findToken('tok_1')).toEqual({ ...token, secretHash: 'ee' });
      expect(await store.findToken('tok_2')).toBeUndefined();
      expect(await store.findOrgBySlug('personal')).toEqual(org);
      expect(await store.findOrgByUrlId(org.urlId)).toEqual(org);
      expect(await store.findOrgByUrlId('nobody')).toBeUndefined();
      expect(await store.findOrg(org.id)).toEqual(org);
    });
  });
}

function describeCheckpoints(name: string, open: () => Promise<Store>): void {
  describe(`${name}, checkpoints`, () => {
    it('returns them in the order they were made, each of its sprite only', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      const two = await store.insertSprite(record('two'), 10);
      for (const id of ['v1', 'auto-x', 'v2']) await store.insertCheckpoint(checkpoint(one.id, id));
      await store.insertCheckpoint(checkpoint(two.id, 'v1'));
      expect(await store.listCheckpoints(one.id)).toEqual([
        { ...checkpoint(one.id, 'v1'), sequence: 1 },
        { ...checkpoint(one.id, 'auto-x'), sequence: 2 },
        { ...checkpoint(one.id, 'v2'), sequence: 3 },
      ]);
      expect(await store.findCheckpoint(two.id, 'v2')).toBeUndefined();
    });

    it('forgets one, notes the health of one, and forgets all with their sprite', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      for (const id of ['v1', 'v2']) await store.insertCheckpoint(checkpoint(one.id, id));
      await store.setCheckpointHealth(one.id, 'v2', 'damaged');
      await store.removeCheckpoint(one.id, 'v1');
      expect((await store.listCheckpoints(one.id)).map(({ id, health }) => [id, health])).toEqual([
        ['v2', 'damaged'],
      ]);
      await store.removeSprite(one.id);
      expect(await store.listCheckpoints(one.id)).toEqual([]);
    });

    it('keeps what a restore is about', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      const restoring = { to: 'v1', undo: 'auto-x' };
      await store.updateSprite(one.id, { restoring, checkpointCount: 3, sourceCheckpoint: 'v1' });
      const found = await store.findSpriteById(one.id);
      expect(found).toEqual({ ...one, restoring, checkpointCount: 3, sourceCheckpoint: 'v1' });
      await store.updateSprite(one.id, { restoring: undefined });
      expect((await store.findSpriteById(one.id))?.restoring).toBeUndefined();
    });

    it('keeps why one was made, and what is found out about it later', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      const made = { ...checkpoint(one.id, 'auto-x'), cause: 'interval', imageDigest: 'sha256:00' } as const;
      await store.insertCheckpoint(made);
      expect(await store.listCheckpointsWithoutChecksum(5)).toMatchObject([{ id: 'auto-x' }]);
      const found = { sizeBytes: 2 ** 40, checksum: 'ff', verifiedAt: '2026-01-02T00:00:00.000Z' };
      expect(await store.updateCheckpoint(one.id, 'auto-x', found)).toBe(true);
      expect(await store.listCheckpointsWithoutChecksum(5)).toEqual([]);
      expect(await store.updateCheckpoint(one.id, 'auto-x', { health: 'damaged' })).toBe(true);
      expect(await store.findCheckpoint(one.id, 'auto-x')).toEqual({
        ...made,
        ...found,
        health: 'damaged',
        sequence: 1,
      });
      expect(await store.updateCheckpoint(one.id, 'v9', { health: 'damaged' })).toBe(false);
    });
  });
}

function checkpoint(spriteId: string, id: string): Omit<CheckpointRecord, 'sequence'> {
  return {
    spriteId,
    id,
    comment: id === 'v1' ? 'first' : undefined,
    createdAt: '2026-01-01T00:00:00.000Z',
    sourceId: undefined,
    isAuto: id.startsWith('auto-'),
    health: '',
  };
}

function describeImports(name: string, open: () => Promise<Store>): void {
  describe(`${name}, sprites with checkpoints`, () => {
    it('come with their sprite, in their order, or not at all', async () => {
      const store = await opened(open);
      const of = (id: string) => ['v1', 'auto-x'].map((one) => checkpoint(id, one));
      const one = record('one', { checkpointCount: 1, sourceCheckpoint: 'v1' });
      const inserted = await store.insertSpriteWithCheckpoints(one, of(one.id), 10);
      expect(inserted).toEqual({ ...one, slot: 0 });
      expect(await store.listCheckpoints(one.id)).toEqual(
        of(one.id).map((each, index) => ({ ...each, sequence: index + 1 })),
      );
      expect((await store.insertCheckpoint(checkpoint(one.id, 'v2'))).sequence).toBe(3);
      const twin = record('one', { id: 'sprite_x' });
      await expect(store.insertSpriteWithCheckpoints(twin, of('sprite_x'), 10)).rejects.toMatchObject({
        code: 'sprite_already_exists',
      });
      expect(await store.listCheckpoints('sprite_x')).toEqual([]);
    });
  });
}

function describeEvents(name: string, open: () => Promise<Store>): void {
  const event = (spriteId: string, message: string): Omit<EventRecord, 'sequence'> => ({
    spriteId,
    at: `2026-01-01T00:00:0${message.slice(-1)}.000Z`,
    type: 'woke',
    message,
    details: { cause: 'exec', ms: 3, again: false },
  });
  const messages = (events: readonly EventRecord[]): readonly string[] => events.map((one) => one.message);

  describe(`${name}, events`, () => {
    it('numbers and returns the newest of each sprite, oldest first', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      const two = await store.insertSprite(record('two'), 10);
      await store.appendEvents([event(one.id, 'a 1'), event(two.id, 'b 1'), event(one.id, 'a 2')], 10);
      await store.appendEvents([event(one.id, 'a 3')], 10);
      const spriteId = one.id;
      const all = await store.listEvents({ spriteId, limit: 9 });
      expect(all).toEqual(
        ['a 1', 'a 2', 'a 3'].map((text, i) => ({ ...event(one.id, text), sequence: i + 1 })),
      );
      expect(messages(await store.listEvents({ spriteId, limit: 2 }))).toEqual(['a 2', 'a 3']);
      expect(messages(await store.listEvents({ spriteId, after: 1, limit: 9 }))).toEqual(['a 2', 'a 3']);
      const from = '2026-01-01T00:00:03.000Z';
      expect(messages(await store.listEvents({ spriteId, from, limit: 9 }))).toEqual(['a 3']);
    });

    it('forgets the oldest, and all with their sprite, and numbers none twice', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      for (const i of [1, 2, 3, 4]) await store.appendEvents([event(one.id, `a ${i}`)], 2);
      await store.appendEvents([event('sprite_nobody', 'lost 0')], 2);
      const left = await store.listEvents({ spriteId: one.id, limit: 9 });
      expect(left.map((kept) => [kept.sequence, kept.message])).toEqual([
        [3, 'a 3'],
        [4, 'a 4'],
      ]);
      await store.removeSprite(one.id);
      expect(await store.listEvents({ spriteId: one.id, limit: 9 })).toEqual([]);
    });
  });
}

function describePolicies(name: string, open: () => Promise<Store>): void {
  const network = {
    rules: [{ domain: 'b.test', action: 'allow' as const }, { include: 'defaults' as const }],
  };
  const seen = {
    name: 'b.test',
    verdict: 'allow' as const,
    firstAt: 1,
    lastAt: 2,
    count: 3,
    addresses: ['192.0.2.1'],
  };

  describe(`${name}, policies`, () => {
    it('keeps each kind as it was set, before the sprite is there and until it is removed', async () => {
      const store = await opened(open);
      const { slot: _, ...one } = { ...record('one'), slot: 0 };
      expect(await store.findPolicies(one.id)).toEqual({});
      await store.updatePolicies(one.id, { network, privileges: { profile: 'minimal' } });
      await store.updatePolicies(one.id, { resources: { memory: { limit_mb: 256 } }, privileges: undefined });
      await store.insertSprite(one, 10);
      const policies = { network, resources: { memory: { limit_mb: 256 } } };
      expect(await store.findPolicies(one.id)).toEqual(policies);
      await store.removeSprite(one.id);
      expect(await store.findPolicies(one.id)).toEqual({});
    });

    it('keeps the log of what a sprite reached, and none of an unknown sprite', async () => {
      const store = await opened(open);
      const one = await store.insertSprite(record('one'), 10);
      await store.putEgress(
        new Map([
          [one.id, [seen, seen]],
          ['sprite_nobody', [seen]],
        ]),
      );
      await store.putEgress(new Map([[one.id, [seen]]]));
      expect(await store.findEgress(one.id)).toEqual([seen]);
      expect(await store.findEgress('sprite_nobody')).toEqual([]);
      expect(await store.findPolicies(one.id)).toEqual({});
      await store.removeSprite(one.id);
      expect(await store.findEgress(one.id)).toEqual([]);
    });
  });
}

async function opened(open: () => Promise<Store>): Promise<Store> {
  const store = await open();
  await store.insertOrg(org);
  onTestFinished(() => store.close());
  return store;
}

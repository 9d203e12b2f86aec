import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '@sprites/core';
import { expect, it } from 'vitest';
import { describeStore } from '../conformance.ts';
import { openSqliteStore } from './sqlite-store.ts';

describeStore('SqliteStore', () => openSqliteStore(':memory:'));

it('holds after reopening what it held before', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sprites-store-'));
  try {
    const org = { id: 'org_1', slug: 'personal', urlId: 'abcd1234', createdAt: '2026-01-01T00:00:00.000Z' };
    const open = (): Promise<Store> => openSqliteStore(join(directory, 'sprites.db'));
    const before = await open();
    await before.insertOrg(org);
    await before.close();
    const after = await open();
    expect(await after.findOrg('org_1')).toEqual(org);
    await after.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('is readable by its owner only, with all its files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sprites-store-'));
  try {
    const store = await openSqliteStore(join(directory, 'sprites.db'));
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o077, name).toBe(0);
    }
    await store.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});

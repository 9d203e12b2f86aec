import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAttached, listMounts, runTool, unmountPool } from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { openReflinkDisks, type ReflinkDisksOptions, releasePool } from './index.ts';

const gib = 1024 ** 3;
const signal = new AbortController().signal;
const deadMaker = '.unfinished-1-1-abc';

async function fixture() {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-disks-'));
  const openDisks = (options: Partial<ReflinkDisksOptions> = {}) =>
    openReflinkDisks({ dataDir, signal, poolSizeBytes: 2 * gib, ...options });
  return {
    dataDir,
    openDisks,
    async [Symbol.asyncDispose]() {
      await unmountPool(join(dataDir, 'pool'));
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

describe('ReflinkDisks', () => {
  it('makes a formatted disk that costs next to nothing, and removes it', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    await disks.create('sprite_A', 100 * gib);
    expect(await disks.list()).toEqual(['sprite_A']);
    expect((await stat(disks.file('sprite_A'))).size).toBe(100 * gib);
    await using file = await open(disks.file('sprite_A'));
    const { buffer } = await file.read({ buffer: Buffer.alloc(2), position: 1024 + 56 });
    expect(buffer.readUInt16LE()).toBe(0xef53);
    const { usedBytes, ownBytes } = await disks.usage('sprite_A');
    expect(usedBytes).toBeLessThan(100 * 1024 ** 2);
    expect(ownBytes).toBeLessThanOrEqual(64 * 1024);
    await disks.remove('sprite_A');
    await disks.remove('sprite_A');
    expect(await disks.list()).toEqual([]);
  });

  it('counts written bytes as the disk’s own', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    await disks.create('a', gib);
    const before = await disks.usage('a');
    await using file = await open(disks.file('a'), 'r+');
    await file.write(Buffer.alloc(4 * 1024 ** 2, 1), 0, undefined, 512 * 1024 ** 2);
    await file.sync();
    const after = await disks.usage('a');
    expect(after.ownBytes - before.ownBytes).toBeGreaterThanOrEqual(4 * 1024 ** 2);
    expect(after.usedBytes).toBeGreaterThanOrEqual(after.ownBytes);
  });

  it('makes one template for many disks asked for at once', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    const ids = Array.from({ length: 20 }, (_, index) => `d${index}`);
    await Promise.all(ids.map((id) => disks.create(id, gib)));
    expect([...(await disks.list())].sort()).toEqual([...ids].sort());
    expect(await readdir(join(f.dataDir, 'pool', 'templates'))).toHaveLength(1);
  });

  it('never replaces a disk that is there', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    await disks.create('a', gib);
    await writeFile(disks.file('a'), 'mine');
    await expect(disks.create('a', gib)).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await stat(disks.file('a'))).size).toBe(4);
    expect(await readdir(join(f.dataDir, 'pool', 'disks'))).toEqual(['a.ext4']);
  });

  it('refuses ids that are paths and sizes that make no disk', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    for (const id of ['', '..', '../a', 'a/b', 'a\0', '.unfinished', 'x'.repeat(65)]) {
      expect(() => disks.file(id)).toThrow('cannot name a disk');
      await expect(disks.create(id, gib)).rejects.toThrow('cannot name a disk');
    }
    for (const size of [0, -1, 1.5 * gib + 1, 4096, Number.NaN, 2 ** 50]) {
      await expect(disks.create('a', size)).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  it('answers out_of_space with numbers before the pool is full, and recovers', async () => {
    await using f = await fixture();
    const disks = await f.openDisks({ reserveBytes: 300 * 1024 ** 2 });
    await disks.create('a', gib);
    const { freeBytes } = await disks.space();
    const hog = join(f.dataDir, 'pool', 'hog');
    await runTool(['fallocate', '--length', String(freeBytes - 200 * 1024 ** 2), hog]);
    await expect(disks.create('b', gib)).rejects.toMatchObject({
      code: 'out_of_space',
      message: expect.stringMatching(/MiB free and keeps 300 MiB in reserve/),
    });
    expect(await disks.list()).toEqual(['a']);
    await rm(hog);
    // XFS gives the blocks back in the background
    await expect
      .poll(async () => (await disks.space()).freeBytes, { timeout: 10_000 })
      .toBeGreaterThan(300 * 1024 ** 2);
    await disks.create('b', gib);
  });

  it('answers out_of_space when the pool is filled to the brim', async () => {
    await using f = await fixture();
    const disks = await f.openDisks({ reserveBytes: 0 });
    await disks.create('a', gib);
    const { freeBytes } = await disks.space();
    const hog = join(f.dataDir, 'pool', 'hog');
    await runTool(['fallocate', '--length', String(freeBytes - 64 * 1024 ** 2), hog]);
    await using file = await open(hog, 'a');
    const fillWith = async (size: number) => {
      while (true) await file.write(Buffer.alloc(size, 1));
    };
    await expect(fillWith(1024 ** 2)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(fillWith(4096)).rejects.toMatchObject({ code: 'ENOSPC' });
    const outcomes = await Promise.allSettled(['b', 'c', 'd'].map((id) => disks.create(id, gib)));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'out_of_space' });
    }
    const made = outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
    expect(await disks.list()).toHaveLength(1 + made);
  });
});

describe('openReflinkDisks', () => {
  it('finds the pool mounted by an earlier server, and mounts it again after release', async () => {
    await using f = await fixture();
    const first = await f.openDisks();
    expect(['reflink-loop', 'reflink-directory']).toContain(first.kind);
    await first.create('a', gib);
    await first.close();
    const second = await f.openDisks();
    expect(await second.list()).toEqual(['a']);
    await second.release();
    await releasePool(f.dataDir);
    const third = await f.openDisks();
    expect(await third.list()).toEqual(['a']);
    const pool = join(f.dataDir, 'pool');
    expect((await listMounts()).filter((each) => each.target === pool).length).toBeLessThanOrEqual(1);
  });

  it('lets go of the pool although another program has copied its mount', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    const holder = spawn('unshare', ['--mount', 'sh', '-c', 'echo; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(holder.stdout, 'data');
      await disks.release();
      await expect.poll(() => isAttached(join(f.dataDir, 'pool.img'))).toBe(false);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('removes what a killed server left half-made, and nothing of a living one', async () => {
    await using f = await fixture();
    await writeFile(join(f.dataDir, 'pool.img.new'), 'half');
    const first = await f.openDisks();
    await first.create('a', gib);
    const directories = ['disks', 'templates'].map((name) => join(f.dataDir, 'pool', name));
    for (const directory of directories) {
      await writeFile(join(directory, deadMaker), 'half');
      await mkdir(join(directory, `${deadMaker}-content`, 'upper'), { recursive: true });
    }
    const second = await f.openDisks();
    expect(await second.list()).toEqual(['a']);
    const names = await Promise.all([f.dataDir, ...directories].map((directory) => readdir(directory)));
    expect(names.flat().filter((name) => /unfinished|\.new$/.test(name))).toEqual([]);
  });

  it('refuses to release a pool in use', async () => {
    await using f = await fixture();
    const disks = await f.openDisks();
    if (disks.kind === 'reflink-directory') return;
    await disks.create('a', gib);
    {
      await using file = await open(disks.file('a'));
      await expect(disks.release()).rejects.toMatchObject({ code: 'unavailable' });
      await file.stat();
    }
    await disks.release();
  });

  it('follows a data directory that is a symbolic link', async () => {
    await using f = await fixture();
    const link = `${f.dataDir}-link`;
    await symlink(f.dataDir, link);
    try {
      const first = await f.openDisks({ dataDir: link });
      await first.create('a', gib);
      const second = await f.openDisks();
      expect(await second.list()).toEqual(['a']);
    } finally {
      await rm(link);
    }
  });

  it('keeps two data directories apart', async () => {
    await using f = await fixture();
    await using g = await fixture();
    const [one, other] = await Promise.all([f.openDisks(), g.openDisks()]);
    await Promise.all([one.create('a', gib), other.create('b', gib)]);
    expect([await one.list(), await other.list()]).toEqual([['a'], ['b']]);
  });
});

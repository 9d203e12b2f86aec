import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import {
  attachLoop,
  isAttached,
  mount,
  runTool,
  thawFileSystem,
  unmount,
  unmountPool,
  withFrozenFileSystem,
} from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { openReflinkDisks, type ReflinkDisks, type ReflinkDisksOptions } from './index.ts';

const mib = 1024 ** 2;
const signal = new AbortController().signal;
const deadMaker = '.unfinished-1-1-abc';

async function fixture(options: Partial<ReflinkDisksOptions> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-checkpoints-'));
  const mountPoint = join(dataDir, 'mnt');
  await mkdir(mountPoint);
  const settings = { dataDir, signal, poolSizeBytes: 2048 * mib, ...options };
  const disks = await openReflinkDisks(settings);
  const release = async (file: string): Promise<void> => {
    await thawFileSystem(mountPoint);
    await unmount(mountPoint);
    await expect.poll(() => isAttached(file)).toBe(false);
  };
  return {
    disks,
    settings,
    mountPoint,
    pool: join(dataDir, 'pool'),
    /** Mounts the disk until disposal. */
    mount: async (id: string) => {
      const file = disks.file(id);
      await using device = await attachLoop({ file });
      await mount({ source: device.path, target: mountPoint, type: 'ext4', flags: ['noatime'] });
      return { [Symbol.asyncDispose]: () => release(file) };
    },
    async [Symbol.asyncDispose]() {
      await thawFileSystem(mountPoint);
      await unmount(mountPoint);
      await unmountPool(join(dataDir, 'pool'));
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Overwrites a part of a disk that nobody uses. */
async function scribble(disks: ReflinkDisks, id: string, value: number, sizeBytes = mib): Promise<void> {
  await using file = await open(disks.file(id), 'r+');
  await file.write(Buffer.alloc(sizeBytes, value), 0, undefined, 32 * mib);
  await file.sync();
}

/** Appends to the file until not even one more block fits. */
async function fill(path: string): Promise<void> {
  await using file = await open(path, 'a');
  const fillWith = async (size: number) => {
    while (true) await file.write(Buffer.alloc(size, 1));
  };
  await expect(fillWith(mib)).rejects.toMatchObject({ code: 'ENOSPC' });
  await expect(fillWith(4096)).rejects.toMatchObject({ code: 'ENOSPC' });
}

async function checksum(file: string): Promise<number> {
  return crc32(await readFile(file));
}

/** A process that appends numbered lines to `log` in a directory, each synced before it is acknowledged. */
async function startWriter(directory: string) {
  const code = `
    const fs = require('node:fs');
    const fd = fs.openSync(${JSON.stringify(join(directory, 'log'))}, 'a');
    for (let n = 1; ; n++) {
      fs.writeSync(fd, n + '\\n');
      fs.writeFileSync(${JSON.stringify(directory)} + '/noise' + (n % 7), Buffer.alloc(50_000, n));
      fs.fsyncSync(fd);
      fs.writeSync(1, n + '\\n');
    }`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  let acknowledged = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    acknowledged = Number(chunk.toString().trimEnd().split('\n').at(-1));
  });
  await once(child.stdout, 'data');
  return {
    acknowledged: () => acknowledged,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

describe('checkpoints of a disk', () => {
  it('are whole file systems with all synced data, taken a hundred times under a writer', async () => {
    await using f = await fixture();
    await f.disks.create('a', 256 * mib);
    const promised = new Map<string, number>();
    {
      await using _mounted = await f.mount('a');
      await using writer = await startWriter(f.mountPoint);
      for (let n = 1; n <= 100; n++) {
        promised.set(`v${n}`, writer.acknowledged());
        await f.disks.saveCheckpoint('a', `v${n}`, (clone) => withFrozenFileSystem(f.mountPoint, clone));
      }
    }
    expect([...(await f.disks.listCheckpoints('a'))].sort()).toEqual([...promised.keys()].sort());
    for (const [id, count] of promised) {
      const file = join(f.pool, 'checkpoints', 'a', `${id}.ext4`);
      await runTool(['e2fsck', '-fn', file]);
      const lines = (await runTool(['debugfs', '-R', 'cat /log', file])).trimEnd().split('\n');
      expect(lines.length).toBeGreaterThanOrEqual(count);
      expect(lines).toEqual(lines.map((_, index) => String(index + 1)));
    }
    await f.disks.restoreCheckpoint('a', 'v50');
    await using _mounted = await f.mount('a');
    await writeFile(join(f.mountPoint, 'after'), 'writable');
  }, 120_000);

  it('come back by restore, which leaves the checkpoint as it was', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await scribble(f.disks, 'a', 1);
    const before = await checksum(f.disks.file('a'));
    await f.disks.saveCheckpoint('a', 'v1');
    for (const value of [2, 3]) {
      await scribble(f.disks, 'a', value);
      expect(await checksum(f.disks.file('a'))).not.toBe(before);
      await f.disks.restoreCheckpoint('a', 'v1');
      expect(await checksum(f.disks.file('a'))).toBe(before);
    }
    await rm(f.disks.file('a'));
    await f.disks.restoreCheckpoint('a', 'v1');
    expect(await checksum(f.disks.file('a'))).toBe(before);
  });

  it('are not restored onto a disk in use, nor when there is none of that id', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await f.disks.saveCheckpoint('a', 'v1');
    await expect(f.disks.restoreCheckpoint('a', 'v2')).rejects.toMatchObject({
      code: 'checkpoint_not_found',
    });
    await expect(f.disks.fork('a', 'v2', 'b')).rejects.toMatchObject({ code: 'checkpoint_not_found' });
    await expect(f.disks.checkpointUsage('b', 'v1')).rejects.toMatchObject({ code: 'checkpoint_not_found' });
    await using _mounted = await f.mount('a');
    await expect(f.disks.restoreCheckpoint('a', 'v1')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('are never replaced', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await f.disks.saveCheckpoint('a', 'v1');
    await scribble(f.disks, 'a', 1);
    await expect(f.disks.saveCheckpoint('a', 'v1')).rejects.toMatchObject({ code: 'EEXIST' });
    await f.disks.restoreCheckpoint('a', 'v1');
    expect(await readdir(join(f.pool, 'checkpoints'))).toEqual(['a']);
  });

  it('leave nothing when the disk cannot be made quiet', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    const saving = f.disks.saveCheckpoint('a', 'v1', async (clone) => {
      await clone();
      throw new Error('moved');
    });
    await expect(saving).rejects.toThrow('moved');
    expect(await f.disks.listCheckpoints('a')).toEqual([]);
    expect(await readdir(join(f.pool, 'checkpoints'))).toEqual(['a']);
  });

  it('become disks of their own by fork, ten at once', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await scribble(f.disks, 'a', 1);
    await f.disks.saveCheckpoint('a', 'v1');
    const saved = await checksum(f.disks.file('a'));
    await scribble(f.disks, 'a', 2);
    const live = await checksum(f.disks.file('a'));
    const ids = Array.from({ length: 10 }, (_, n) => `b${n}`);
    await Promise.all(ids.map((id) => f.disks.fork('a', 'v1', id)));
    const steps: string[] = [];
    await f.disks.fork('a', undefined, 'c', async (clone) => {
      steps.push('quiet');
      await clone();
    });
    expect(steps).toEqual(['quiet']);
    await scribble(f.disks, 'b0', 3);
    await f.disks.remove('a');
    for (const id of ids.slice(1)) expect(await checksum(f.disks.file(id))).toBe(saved);
    expect(await checksum(f.disks.file('c'))).toBe(live);
    await expect(f.disks.fork('c', undefined, 'b1')).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('go with their disk, and one by one', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    for (const id of ['v0', 'v1', 'auto-2026-01-01T00-00-00Z']) await f.disks.saveCheckpoint('a', id);
    await f.disks.removeCheckpoint('a', 'v0');
    await f.disks.removeCheckpoint('a', 'v0');
    await f.disks.removeCheckpoint('never', 'v0');
    expect([...(await f.disks.listCheckpoints('a'))].sort()).toEqual(['auto-2026-01-01T00-00-00Z', 'v1']);
    expect(await f.disks.list()).toEqual(['a']);
    await f.disks.remove('a');
    expect(await f.disks.listCheckpoints('a')).toEqual([]);
    expect(await readdir(join(f.pool, 'checkpoints'))).toEqual([]);
  });

  it('are named by nothing that is a path', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    for (const id of [
      '',
      'v',
      '../v1',
      'v1/../v2',
      'V1',
      'v1.ext4',
      'auto-',
      'auto-a/b',
      'v1\n',
      'v1\0',
      'Current',
    ]) {
      for (const attempt of [
        () => f.disks.saveCheckpoint('a', id),
        () => f.disks.restoreCheckpoint('a', id),
        () => f.disks.fork('a', id, 'b'),
        () => f.disks.removeCheckpoint('a', id),
        () => f.disks.checkpointUsage('a', id),
      ]) {
        await expect(attempt()).rejects.toThrow('cannot name a checkpoint');
      }
    }
    for (const id of ['..', '../disks', 'a/b']) {
      await expect(f.disks.saveCheckpoint(id, 'v1')).rejects.toThrow('cannot name a disk');
      await expect(f.disks.listCheckpoints(id)).rejects.toThrow('cannot name a disk');
      await expect(f.disks.removeCheckpoint(id, 'v1')).rejects.toThrow('cannot name a disk');
      await expect(f.disks.fork('a', undefined, id)).rejects.toThrow('cannot name a disk');
    }
  });

  it('cost what they alone hold', async () => {
    await using f = await fixture();
    await f.disks.create('a', 256 * mib);
    await scribble(f.disks, 'a', 1, 16 * mib);
    await f.disks.saveCheckpoint('a', 'v1');
    const shared = await f.disks.checkpointUsage('a', 'v1');
    expect(shared.usedBytes).toBeGreaterThanOrEqual(16 * mib);
    expect(shared.ownBytes).toBe(0);
    expect((await f.disks.usage('a')).ownBytes).toBe(0);
    await scribble(f.disks, 'a', 2, 8 * mib);
    expect((await f.disks.checkpointUsage('a', 'v1')).ownBytes).toBe(8 * mib);
    expect((await f.disks.usage('a')).ownBytes).toBe(8 * mib);
    await f.disks.removeCheckpoint('a', 'v1');
    // XFS lets go of the checkpoint's blocks in the background
    await expect
      .poll(async () => (await f.disks.usage('a')).ownBytes, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(16 * mib);
  });
});

describe('checkpoints of a pool without space', () => {
  it('answer out_of_space with numbers below the reserve, though restore still works', async () => {
    await using f = await fixture({ reserveBytes: 300 * mib });
    await f.disks.create('a', 64 * mib);
    await f.disks.saveCheckpoint('a', 'v1');
    const { freeBytes } = await f.disks.space();
    await runTool(['fallocate', '--length', String(freeBytes - 200 * mib), join(f.pool, 'hog')]);
    const refusal = { code: 'out_of_space', message: expect.stringMatching(/MiB free and keeps 300 MiB/) };
    await expect(f.disks.saveCheckpoint('a', 'v2')).rejects.toMatchObject(refusal);
    await expect(f.disks.fork('a', 'v1', 'b')).rejects.toMatchObject(refusal);
    expect(await f.disks.listCheckpoints('a')).toEqual(['v1']);
    await f.disks.restoreCheckpoint('a', 'v1');
  });

  it('damage nothing when it is filled to the brim', async () => {
    await using f = await fixture({ reserveBytes: 0 });
    await f.disks.create('a', 64 * mib);
    await scribble(f.disks, 'a', 1);
    await f.disks.saveCheckpoint('a', 'v1');
    const before = await checksum(f.disks.file('a'));
    const { freeBytes } = await f.disks.space();
    const hog = join(f.pool, 'hog');
    await runTool(['fallocate', '--length', String(freeBytes - 64 * mib), hog]);
    await fill(hog);
    const made = ['v1'];
    for (let n = 2; n <= 40; n++) {
      const error = await f.disks.saveCheckpoint('a', `v${n}`).catch((reason: unknown) => reason);
      if (error === undefined) made.push(`v${n}`);
      else expect(error).toMatchObject({ code: 'out_of_space' });
    }
    expect([...(await f.disks.listCheckpoints('a'))].sort()).toEqual(made.sort());
    expect(await checksum(f.disks.file('a'))).toBe(before);
    await rm(hog);
    await expect
      .poll(async () => (await f.disks.space()).freeBytes, { timeout: 10_000 })
      .toBeGreaterThan(500 * mib);
    for (const id of made) {
      await f.disks.restoreCheckpoint('a', id);
      expect(await checksum(f.disks.file('a'))).toBe(before);
    }
  });
});

describe('checkpoints after a crash', () => {
  it('have nothing half-made left of a dead server', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await f.disks.saveCheckpoint('a', 'v1');
    await writeFile(join(f.pool, 'checkpoints', deadMaker), 'half');
    const later = await openReflinkDisks(f.settings);
    expect(await later.listCheckpoints('a')).toEqual(['v1']);
    expect(await readdir(join(f.pool, 'checkpoints'))).toEqual(['a']);
  });

  it('are whole or not there, and the disk is the old or the new one, whenever the server is killed', async () => {
    await using f = await fixture();
    await f.disks.create('a', 64 * mib);
    await scribble(f.disks, 'a', 1);
    await f.disks.saveCheckpoint('a', 'v0');
    const known = new Set([await checksum(f.disks.file('a'))]);
    await scribble(f.disks, 'a', 2);
    known.add(await checksum(f.disks.file('a')));
    const { signal: _, ...settings } = f.settings;
    for (let round = 1; round <= 6; round++) {
      const acknowledged = await runUntilKilled(settings, round);
      const later = await openReflinkDisks(f.settings);
      const listed = await later.listCheckpoints('a');
      expect(listed).toEqual(expect.arrayContaining([...acknowledged]));
      expect((await stat(later.file('a'))).size).toBe(64 * mib);
      expect(known).toContain(await checksum(later.file('a')));
      for (const id of listed) {
        expect(known).toContain(await checksum(join(f.pool, 'checkpoints', 'a', `${id}.ext4`)));
        if (id !== 'v0') await later.removeCheckpoint('a', id);
      }
      const names = [await readdir(join(f.pool, 'checkpoints')), await readdir(join(f.pool, 'disks'))];
      expect(names).toEqual([['a'], ['a.ext4']]);
    }
  }, 120_000);
});

/** Saves and restores in another process, kills it some milliseconds later, and answers what it had saved by then. */
async function runUntilKilled(settings: object, round: number): Promise<readonly string[]> {
  const code = `
    import { openReflinkDisks } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const signal = new AbortController().signal;
    const disks = await openReflinkDisks({ ...${JSON.stringify(settings)}, signal });
    for (let n = 1; ; n++) {
      await disks.saveCheckpoint('a', 'v${round}0' + n);
      console.log('v${round}0' + n);
      await disks.restoreCheckpoint('a', n % 2 === 0 ? 'v0' : 'v${round}0' + n);
    }`;
  const server = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  server.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(server.stdout, 'data');
  await sleep(round * 6);
  server.kill('SIGKILL');
  await once(server, 'close');
  return output.split('\n').slice(0, -1);
}

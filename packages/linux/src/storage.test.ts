import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withFrozenFileSystem } from './freeze.ts';
import { bindIdmapped, openUserNamespace } from './idmap.ts';
import { tryLockFile } from './lock.ts';
import { attachLoop, isAttached } from './loop.ts';
import { listMounts, mount, parseMountInfo, unmount } from './mount.ts';

const run = promisify(execFile);

async function fixture() {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-linux-'));
  const disk = join(dir, 'disk.ext4');
  const mnt = join(dir, 'mnt');
  const bind = join(dir, 'bind');
  await Promise.all([mkdir(mnt), mkdir(bind)]);
  await using file = await open(disk, 'w');
  await file.truncate(64 * 1024 * 1024);
  await run('mkfs.ext4', ['-q', disk]);
  return {
    dir,
    disk,
    mnt,
    bind,
    async [Symbol.asyncDispose]() {
      for (const target of [bind, mnt]) while (await unmount(target));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function mountDisk(disk: string, target: string): Promise<string> {
  await using device = await attachLoop({ file: disk });
  await mount({ source: device.path, target, type: 'ext4', flags: ['noatime'], data: 'discard' });
  return device.path;
}

describe('attachLoop', () => {
  it('mounts a file, refuses a second writer, and lets go at the unmount', async () => {
    await using f = await fixture();
    const path = await mountDisk(f.disk, f.mnt);
    const found = (await listMounts()).find((entry) => entry.target === f.mnt);
    expect(found).toMatchObject({ type: 'ext4', source: path });
    expect(await isAttached(f.disk)).toBe(true);
    await expect(attachLoop({ file: f.disk })).rejects.toMatchObject({ code: 'EAGAIN' });
    await unmount(f.mnt);
    await expect.poll(() => isAttached(f.disk)).toBe(false);
  });

  it('gives each of many callers a device of its own', async () => {
    await using f = await fixture();
    const files = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const file = join(f.dir, `disk${i}`);
        await writeFile(file, Buffer.alloc(65536));
        return file;
      }),
    );
    const devices = await Promise.all(files.map((file) => attachLoop({ file })));
    expect(new Set(devices.map((device) => device.path)).size).toBe(8);
    await Promise.all(devices.map((device) => device.close()));
  });
});

describe('bindIdmapped', () => {
  it('shows files under other owners and stores them under the inner ones', async () => {
    await using f = await fixture();
    await mountDisk(f.disk, f.mnt);
    await mkdir(join(f.mnt, 'upper'));
    await using namespace = await openUserNamespace([
      { inside: 0, outside: 2_000_000_000, count: 65536 },
      { inside: 65536, outside: 0, count: 1 },
    ]);
    await bindIdmapped({ source: join(f.mnt, 'upper'), target: f.bind, namespaceFd: namespace.fd });
    expect((await stat(f.bind)).uid).toBe(2_000_000_000);
    await writeFile(join(f.bind, 'made-by-host'), '');
    expect((await stat(join(f.mnt, 'upper', 'made-by-host'))).uid).toBe(65536);
  });
});

describe('withFrozenFileSystem', () => {
  it('thaws again when the work fails', async () => {
    await using f = await fixture();
    await mountDisk(f.disk, f.mnt);
    const failing = withFrozenFileSystem(f.mnt, () => Promise.reject(new Error('broken')));
    await expect(failing).rejects.toThrow('broken');
    await writeFile(join(f.mnt, 'after'), 'writable');
  });
});

describe('unmount', () => {
  it('answers false where nothing is mounted', async () => {
    await using f = await fixture();
    expect(await unmount(f.mnt)).toBe(false);
    expect(await unmount(join(f.dir, 'missing'))).toBe(false);
  });
});

describe('parseMountInfo', () => {
  it('undoes the octal escapes', () => {
    const line = '36 35 98:0 / /a\\040b rw,noatime master:1 - ext4 /dev/lo\\134op rw';
    expect(parseMountInfo(`${line}\ngarbage\n`)).toEqual([
      { id: 36, device: '98:0', target: '/a b', type: 'ext4', source: '/dev/lo\\op' },
    ]);
  });
});

describe('tryLockFile', () => {
  it('has one holder at a time', async () => {
    await using f = await fixture();
    const path = join(f.dir, 'lock');
    const first = await tryLockFile(path);
    expect(await tryLockFile(path)).toBeUndefined();
    await first?.close();
    await using second = await tryLockFile(path);
    expect(second).toBeDefined();
  });
});

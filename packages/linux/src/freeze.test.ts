import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { thawFileSystem, withFrozenFileSystem } from './freeze.ts';
import { attachLoop } from './loop.ts';
import { mount, unmount } from './mount.ts';

const run = promisify(execFile);

async function fixture() {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-freeze-'));
  const disk = join(dir, 'disk.ext4');
  const mnt = join(dir, 'mnt');
  await mkdir(mnt);
  await using file = await open(disk, 'w');
  await file.truncate(64 * 1024 * 1024);
  await run('mkfs.ext4', ['-q', disk]);
  await using device = await attachLoop({ file: disk });
  await mount({ source: device.path, target: mnt, type: 'ext4' });
  return {
    dir,
    mnt,
    async [Symbol.asyncDispose]() {
      await thawFileSystem(mnt);
      await unmount(mnt);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

describe('withFrozenFileSystem', () => {
  it('makes writers wait while the work runs, and not longer', async () => {
    await using f = await fixture();
    const order: string[] = [];
    let writing: Promise<void> | undefined;
    await withFrozenFileSystem(f.mnt, async () => {
      writing = writeFile(join(f.mnt, 'file'), 'text').then(() => void order.push('written'));
      await sleep(50);
      order.push('work');
    });
    await writing;
    expect(order).toEqual(['work', 'written']);
    expect(await thawFileSystem(f.mnt)).toBe(false);
  });

  it('lets writers go on when the work takes too long, even when they keep every thread busy, and fails', async () => {
    await using f = await fixture();
    const work = async (): Promise<void> => {
      const names = Array.from({ length: 16 }, (_, index) => join(f.mnt, `file${index}`));
      await Promise.all(names.map((name) => writeFile(name, 'text')));
    };
    const late = withFrozenFileSystem(f.mnt, work, { maxFrozenMs: 100 });
    await expect(late).rejects.toThrow('was thawed after 100 ms');
    expect(await thawFileSystem(f.mnt)).toBe(false);
  });

  it('refuses what is no mount point', async () => {
    await using f = await fixture();
    await expect(withFrozenFileSystem(f.dir, async () => 1)).rejects.toThrow('is not a mount point');
    expect(await thawFileSystem(f.dir)).toBe(false);
    expect(await thawFileSystem(join(f.dir, 'missing'))).toBe(false);
  });
});

describe('thawFileSystem', () => {
  it('thaws what a killed process left frozen', async () => {
    await using f = await fixture();
    const code = `
      import { withFrozenFileSystem } from ${JSON.stringify(new URL('./freeze.ts', import.meta.url).href)};
      await withFrozenFileSystem(${JSON.stringify(f.mnt)}, async () => process.kill(process.pid, 'SIGKILL'));
    `;
    const killed = run(process.execPath, ['--input-type=module', '-e', code]);
    await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(await thawFileSystem(f.mnt)).toBe(true);
    await writeFile(join(f.mnt, 'after'), 'writable');
  });
});

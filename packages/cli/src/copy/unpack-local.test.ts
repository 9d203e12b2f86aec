import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { formatTarEnd, formatTarHeader, type TarEntry, tarPadding } from '@sprites/contract/files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalDirectories } from './local-directories.ts';
import { unpackHere } from './unpack-local.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sprites-unpack-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

type Member = Partial<Omit<TarEntry, 'path' | 'target'>> & {
  readonly path: string;
  readonly content?: string;
  readonly target?: string;
};

function archive(...members: readonly Member[]): Buffer {
  const bytes = Buffer.concat(
    members.flatMap(({ path: name, content = '', target, ...more }) => [
      formatTarHeader({
        type: target === undefined ? 'file' : 'symlink',
        path: Buffer.from(name),
        mode: 0o644,
        size: content.length,
        modTime: 1e9,
        ...(target === undefined ? {} : { target: Buffer.from(target) }),
        ...more,
      }),
      Buffer.from(content),
      tarPadding(content.length),
    ]),
  );
  const sum = createHash('sha256').update(bytes).digest('hex');
  return Buffer.concat([bytes, formatTarEnd(`sha256:${sum}`)]);
}

async function unpack(bytes: Buffer, chunkBytes = 700): Promise<readonly string[]> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }
  const top = path.join(dir, 'top');
  await mkdir(top, { recursive: true });
  return (await unpackHere(new LocalDirectories(top), chunks(), () => undefined)).skipped;
}

describe('an archive from a sprite', () => {
  it.each([1, 511, 700, 100_000])('is unpacked from chunks of %i bytes', async (chunkBytes) => {
    const members = archive(
      { path: '.', type: 'directory', mode: 0o755 },
      { path: 'sub', type: 'directory', mode: 0o755 },
      { path: 'sub/file', content: 'x'.repeat(1500), mode: 0o4750 },
      { path: 'link', target: 'sub/file' },
    );
    expect(await unpack(members, chunkBytes)).toEqual([]);
    const stats = await stat(path.join(dir, 'top/sub/file'));
    expect([stats.size, stats.mode & 0o7777, stats.mtimeMs]).toEqual([1500, 0o750, 1e12]);
    expect(await readlink(path.join(dir, 'top/link'))).toBe('sub/file');
    expect((await stat(path.join(dir, 'top/sub'))).mtimeMs).toBe(1e12);
  });

  it.each(['../evil', '/evil', 'a/../../evil', '..'])('writes nothing to %s', async (name) => {
    await expect(unpack(archive({ path: name, content: 'x' }))).rejects.toThrow('must not hold such a path');
    expect(await readdir(dir)).toEqual(['top']);
  });

  it('writes nothing through a symlink, one that was there or one of its own', async () => {
    await mkdir(path.join(dir, 'top'));
    await mkdir(path.join(dir, 'outside'));
    await symlink('../outside', path.join(dir, 'top/there'));
    await expect(unpack(archive({ path: 'there/evil', content: 'x' }))).rejects.toThrow('no directory');
    const own = archive(
      { path: 'dir', type: 'directory' },
      { path: 'own', target: 'dir' },
      { path: 'own/x' },
    );
    await expect(unpack(own)).rejects.toThrow('no directory');
    expect(await readdir(path.join(dir, 'outside'))).toEqual([]);
    await symlink('../outside/file', path.join(dir, 'top/file'));
    await unpack(archive({ path: 'file', content: 'mine' }));
    expect([
      await readdir(path.join(dir, 'outside')),
      await readFile(path.join(dir, 'top/file'), 'utf8'),
    ]).toEqual([[], 'mine']);
  });

  it.each(['/etc/passwd', '..', '../x', 'a/../../x', 's/..'])('makes no symlink to %s', async (target) => {
    expect(await unpack(archive({ path: 'link', target }))).toEqual([path.join(dir, 'top/link')]);
    expect(await readdir(path.join(dir, 'top'))).toEqual([]);
  });

  it('makes symlinks that stay inside', async () => {
    expect(await unpack(archive({ path: 'a/b/link', target: '../../c' }))).toEqual([]);
  });

  it.each([
    ['was changed on the way', (bytes: Buffer) => bytes.fill('y', 600, 601)],
    ['ends too early', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2048)],
    ['lacks its checksum', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 1024), formatTarEnd()])],
  ])('is refused when it %s', async (_, damage) => {
    await expect(unpack(damage(archive({ path: 'file', content: 'xxx'.repeat(100) })))).rejects.toThrow(
      'copy',
    );
  });
});

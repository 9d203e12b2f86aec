import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renewRandomSeed } from './random-seed.ts';

type Fixture = AsyncDisposable & { readonly root: string; readonly seed: string; readonly outside: string };

async function fixture(): Promise<Fixture> {
  const dir = await mkdtemp(join(tmpdir(), 'seed-'));
  const [root, outside] = [join(dir, 'root'), join(dir, 'outside')];
  await mkdir(join(root, 'var/lib/systemd'), { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, 'random-seed'), 'outside');
  const seed = join(root, 'var/lib/systemd/random-seed');
  return { root, seed, outside, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

describe('renewRandomSeed', () => {
  it('replaces what is saved, with the same mode', async () => {
    await using f = await fixture();
    await writeFile(f.seed, Buffer.alloc(4096, 1), { mode: 0o600 });
    await renewRandomSeed(f.root);
    const first = await readFile(f.seed);
    await renewRandomSeed(f.root);
    expect(first).toHaveLength(512);
    expect(await readFile(f.seed)).not.toEqual(first);
    expect((await stat(f.seed)).mode & 0o777).toBe(0o600);
  });

  it('makes none where there is none', async () => {
    await using f = await fixture();
    await renewRandomSeed(f.root);
    await expect(stat(f.seed)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['var', 'var/lib', 'var/lib/systemd'])('does not follow a link in place of %s', async (name) => {
    await using f = await fixture();
    await rm(join(f.root, name), { recursive: true });
    for (const place of ['lib/systemd', 'systemd', '.']) {
      await mkdir(join(f.outside, place), { recursive: true });
      await writeFile(join(f.outside, place, 'random-seed'), 'outside');
    }
    await symlink(f.outside, join(f.root, name));
    await renewRandomSeed(f.root);
    for (const place of ['lib/systemd', 'systemd', '.']) {
      expect(await readFile(join(f.outside, place, 'random-seed'), 'utf8')).toBe('outside');
    }
  });

  it('does not follow a link in place of the file, and waits for no reader of a pipe', async () => {
    await using f = await fixture();
    await symlink(join(f.outside, 'random-seed'), f.seed);
    await renewRandomSeed(f.root);
    expect(await readFile(join(f.outside, 'random-seed'), 'utf8')).toBe('outside');
    await rm(f.seed);
    execFileSync('mkfifo', [f.seed]);
    await renewRandomSeed(f.root);
    await rm(f.seed);
    await mkdir(f.seed);
    await renewRandomSeed(f.root);
  });
});

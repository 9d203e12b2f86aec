import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const mebibyte = 1024 * 1024;

describe('sprite cp', () => {
  let cli: CommandLine;
  let sprite: Sprite;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    const client = new SpritesClient(server.token, { baseURL: server.baseURL });
    sprite = await client.createSprite(uniqueName('cp'));
  });
  afterAll(async () => {
    await sprite?.destroy();
    await cli?.close();
  });

  const here = (name: string): string => path.join(cli.home, name);
  /** Says what a directory holds: kinds, modes, times, sizes, targets and checksums. */
  const describeTree = `find . -printf '%P %y %m %Ts %s %l\\n' | sed 's/ d \\([0-7]*\\) \\([0-9]*\\) [0-9]*/ d \\1 \\2/' | sort; find . -type f -exec sha256sum {} + | sort`;
  const local = (dir: string): string =>
    execFileSync('sh', ['-c', describeTree], { cwd: here(dir), encoding: 'utf8' });
  const remote = async (dir: string): Promise<string> =>
    (await sprite.execFile('sh', ['-c', describeTree], { cwd: dir })).stdout;

  async function copy(...args: readonly string[]): Promise<string> {
    const { code, stderr } = await cli.run(['cp', '-s', sprite.name, ...args]);
    return code === 0 ? stderr : `${code} ${stderr}`;
  }

  it('takes a directory there and back with everything in it', async () => {
    await mkdir(here('tree/sub/empty'), { recursive: true });
    await writeFile(here('tree/run.sh'), 'echo hi\n', { mode: 0o750 });
    await writeFile(here(`tree/sub/${'ä long name '.repeat(12)}`), 'text');
    await writeFile(Buffer.concat([Buffer.from(`${here('tree')}/`), Buffer.of(0xfe)]), 'bytes');
    await writeFile(here('tree/sub/large'), Buffer.alloc(17 * mebibyte, 'large'));
    await symlink('../run.sh', here('tree/sub/link'));
    for (const one of ['tree/run.sh', 'tree/sub/large', 'tree/sub/empty', 'tree/sub', 'tree']) {
      await utimes(here(one), 1e9, 1e9);
    }
    expect(await copy('tree', `${sprite.name}:/tmp/there`)).toBe('');
    expect(await remote('/tmp/there')).toBe(local('tree'));
    expect(await copy(':/tmp/there', 'back')).toBe('');
    expect(local('back')).toBe(local('tree'));
    expect(await readdir(here('back/sub'))).not.toContainEqual(expect.stringContaining('.part'));
  });

  it('goes into a directory that is there, and copies contents when asked', async () => {
    await mkdir(here('src'));
    await writeFile(here('src/file'), 'x');
    await copy('src', ':');
    await copy('src/.', ':merged');
    await copy('src/file', ':src/named');
    await copy('src/file', 'src/file', ':new/');
    expect((await sprite.execFile('sh', ['-c', 'ls src merged new'])).stdout).toBe(
      'merged:\nfile\n\nnew:\nfile\n\nsrc:\nfile\nnamed\n',
    );
    await copy(':src', ':merged/file', '.');
    expect([await readdir(here('src')), (await stat(here('file'))).size]).toEqual([['file', 'named'], 1]);
  });

  it('does not make symlinks that lead out of what is copied', async () => {
    await sprite.execFile('sh', [
      '-c',
      'mkdir evil && cd evil && ln -s /etc/passwd out && ln -s file in && echo x > file',
    ]);
    expect(await copy(':evil', '.')).toContain('out: a symlink that leads out');
    expect(await readdir(here('evil'))).toEqual(['file', 'in']);
  });

  it.each(['up', 'down'] as const)('goes on where it was killed, %s', async (way) => {
    const size = 200 * mebibyte;
    await writeFile(here('huge'), '');
    await truncate(here('huge'), size);
    await sprite.execFile('truncate', ['-s', String(size), 'from']);
    const args = way === 'up' ? ['huge', ':huge'] : [':from', 'huge'];
    const parts = async (): Promise<readonly { readonly size: number }[]> =>
      way === 'up'
        ? await sprite.filesystem().list('.', { pattern: '.huge.*.part' })
        : await Promise.all(
            (await readdir(cli.home))
              .filter((name) => name.endsWith('.part'))
              .map((name) => stat(here(name))),
          );
    await cli.run(['cp', '-s', sprite.name, ...args], {
      during: async (pid) => {
        await expect
          .poll(async () => (await parts())[0]?.size ?? 0, { interval: 5, timeout: 20_000 })
          .toBeGreaterThan(0);
        process.kill(pid, 'SIGKILL');
      },
    });
    const [part] = await parts();
    expect(part?.size).toBeGreaterThan(0);
    expect(await copy(...args)).toBe('');
    expect(await parts()).toEqual([]);
    if (way === 'up') expect((await sprite.filesystem().stat('huge')).size).toBe(size);
    else expect((await stat(here('huge'))).size).toBe(size);
    await rm(here('huge'));
    await sprite.execFile('rm', ['-f', 'huge', 'from']);
  });

  it('shows on a terminal how far it is, in both directions', async () => {
    const size = 300 * mebibyte;
    await writeFile(here('shown'), '');
    await truncate(here('shown'), size);
    for (const args of [
      ['shown', ':shown'],
      [':shown', 'shown-back'],
    ]) {
      const terminal = cli.terminal(['cp', '-r', '-s', sprite.name, ...args]);
      await terminal.see(/[█░]{20} +\d+% .*of 315 MB {2}[0-9.]+ [kMG]?B\/s/);
      expect(await terminal.end()).toBe(0);
    }
    expect((await stat(here('shown-back'))).size).toBe(size);
    await rm(here('shown-back'));
    await sprite.execFile('rm', ['shown']);
  });

  it('does not take a file for copied that changed meanwhile', async () => {
    await writeFile(here('changing'), Buffer.alloc(300 * mebibyte, 1));
    const ended = await cli.run(['cp', '-s', sprite.name, 'changing', ':changing'], {
      during: async () => {
        await expect
          .poll(async () => (await sprite.filesystem().list('.', { pattern: '.changing.*' })).length, {
            interval: 5,
            timeout: 20_000,
          })
          .toBe(1);
        // behind what has been read already there is more than a socket holds
        await writeFile(here('changing'), Buffer.alloc(300 * mebibyte, 2));
      },
    });
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('changed while it was copied')]);
    expect(await sprite.filesystem().exists('changing')).toBe(false);
    await sprite.execFile('sh', ['-c', 'rm .changing.*']);
    await rm(here('changing'));
  });

  it.each([
    [['one'], /say what to copy and where to/],
    [['one', 'two'], /one side must be in a sprite/],
    [[':one', ':two'], /one side must be in a sprite/],
    [['a:one', 'b:two', '.'], /must be in one sprite/],
    [['nothing', ':x'], /cannot copy .*nothing: ENOENT/],
    [[':nothing', 'x'], /nothing: no such file or directory/],
    [['.sprites/sprites.json', ':/root/x'], /permission denied/],
  ])('says what is wrong with %j', async (args, reason) => {
    expect(await copy(...args)).toMatch(reason);
  });
});

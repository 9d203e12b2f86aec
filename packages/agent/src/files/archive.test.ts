import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { formatTarEnd, formatTarHeader, type TarEntry } from '@sprites/contract/files';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { type HttpAnswer, httpRequest } from '../testing/http-request.ts';

let agent: AgentProcess;
let dir: string;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp('/var/tmp/sprites-archive-');
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function target(path: string, more: Readonly<Record<string, string>> = {}): string {
  return `/v1/fs/archive?${new URLSearchParams({ path: join(dir, path), ...more })}`;
}
async function pack(path: string, more: Readonly<Record<string, string>> = {}): Promise<Buffer> {
  const { status, pieces, body } = await httpRequest(agent.socketPath, { path: target(path, more) });
  if (status !== 200) throw new Error(body);
  return Buffer.concat(pieces);
}
async function unpack(path: string, body: Buffer): Promise<HttpAnswer> {
  return await httpRequest(agent.socketPath, { method: 'PUT', path: target(path), body });
}

const entry = (path: string, more: Partial<TarEntry> = {}): Uint8Array =>
  formatTarHeader({ type: 'file', path: Buffer.from(path), mode: 0o644, size: 0, modTime: 1e9, ...more });

describe('an archive of a directory', () => {
  it('is one that tar reads, with names, modes, times and links as they were', async () => {
    const long = `${'long-'.repeat(40)}name`;
    await mkdir(join(dir, 'tree/empty'), { recursive: true });
    await writeFile(join(dir, 'tree', long), 'long', { mode: 0o640 });
    await writeFile(
      Buffer.concat([Buffer.from(`${dir}/tree/`), Buffer.of(0xff)]),
      Buffer.alloc(300_000, 'x'),
    );
    await symlink('nowhere/at/all', join(dir, 'tree/link'));
    await utimes(join(dir, 'tree', long), 1e9, 1e9);
    await mkdir(join(dir, 'out'));
    execFileSync('tar', ['x', '-C', join(dir, 'out')], {
      input: await pack('tree'),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    expect(
      execFileSync('diff', ['-r', '--no-dereference', 'tree', 'out'], { cwd: dir, encoding: 'utf8' }),
    ).toBe('');
    const stats = await stat(join(dir, 'out', long));
    expect([stats.mode & 0o777, stats.mtimeMs]).toEqual([0o640, 1e12]);
  });

  it('is whole for any number of files, also when they fill a chunk to its end', async () => {
    for (let i = 0; i < 300; i++) await writeFile(join(dir, `file-${i}`), 'x');
    const listed = execFileSync('tar', ['t'], { input: await pack('.'), encoding: 'utf8' });
    expect(listed.trim().split('\n').length).toBe(301);
  });

  it('ends with the checksum of what comes before', async () => {
    await writeFile(join(dir, 'file'), 'text');
    const archive = await pack('.');
    const comment = archive.lastIndexOf('comment=sha256:');
    const sum = archive.subarray(comment + 15, comment + 15 + 64).toString();
    const start = Math.floor(comment / 512) * 512 - 512;
    expect(createHash('sha256').update(archive.subarray(0, start)).digest('hex')).toBe(sum);
  });

  it('leaves out what is too large, and is of one file when asked for one', async () => {
    await writeFile(join(dir, 'small'), 'x');
    await writeFile(join(dir, 'large'), 'xx');
    const list = (input: Buffer): string => execFileSync('tar', ['t'], { input, encoding: 'utf8' });
    expect(list(await pack('.', { smallerThan: '2' }))).toBe('.\nsmall\n');
    expect(list(await pack('large'))).toBe('large\n');
    await expect(pack('nothing')).rejects.toThrow('ENOENT');
  });
});

describe('unpacking', () => {
  it('takes what tar makes, and tells its checksum', async () => {
    await mkdir(join(dir, 'tree/sub'), { recursive: true });
    await writeFile(join(dir, 'tree/sub/file'), 'text', { mode: 0o750 });
    await symlink('sub/file', join(dir, 'tree/link'));
    await utimes(join(dir, 'tree/sub'), 1e9, 1e9);
    for (const format of ['gnu', 'ustar', 'pax']) {
      const archive = execFileSync('tar', ['c', `--format=${format}`, '-C', join(dir, 'tree'), '.']);
      const { status, body } = await unpack(`out-${format}/deep`, archive);
      expect([status, JSON.parse(body)]).toEqual([
        200,
        {
          path: join(dir, `out-${format}/deep`),
          count: 4,
          totalBytes: 4,
          sha256: createHash('sha256').update(archive).digest('hex'),
        },
      ]);
      const out = join(dir, `out-${format}/deep`);
      expect(await readlink(join(out, 'link'))).toBe('sub/file');
      expect((await stat(join(out, 'sub/file'))).mode & 0o777).toBe(0o750);
      expect((await stat(join(out, 'sub'))).mtimeMs).toBe(1e12);
    }
  });

  it.each(['../out', 'a/../../out', '/out', 'a/..'])('refuses the path %s', async (path) => {
    const { status, body } = await unpack('in', Buffer.concat([entry(path), formatTarEnd()]));
    expect([status, JSON.parse(body).code]).toEqual([400, 'EINVAL']);
    expect(await readdir(dir)).toEqual(['in']);
  });

  it('does not go through a symlink, whoever made it', async () => {
    await mkdir(join(dir, 'outside'));
    const archive = Buffer.concat([
      entry('link', { type: 'symlink', target: Buffer.from('../outside') }),
      entry('link/file'),
      formatTarEnd(),
    ]);
    expect(JSON.parse((await unpack('in', archive)).body).code).toBe('ENOTDIR');
    expect(await readdir(join(dir, 'outside'))).toEqual([]);
    await symlink('../outside/file', join(dir, 'in/file'));
    await unpack('in', Buffer.concat([entry('file'), formatTarEnd()]));
    expect([await readdir(join(dir, 'outside')), (await stat(join(dir, 'in/file'))).isFile()]).toEqual([
      [],
      true,
    ]);
  });

  it('leaves whole files only of an archive that ends too early', async () => {
    const archive = Buffer.concat([entry('one'), entry('two', { size: 10 }), Buffer.from('half')]);
    expect(JSON.parse((await unpack('in', archive)).body).code).toBe('EINVAL');
    expect(await readdir(join(dir, 'in'))).toEqual(['one']);
  });

  it.each([
    ['a damaged header', Buffer.concat([Buffer.from(entry('x')).fill(1, 0, 3), formatTarEnd()])],
    ['no archive at all', Buffer.alloc(2000, 'nonsense')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', async (_, archive) => {
    expect(JSON.parse((await unpack('in', archive)).body).code).toBe('EINVAL');
  });
});

it('tells the checksum of a file and of its beginning', async () => {
  await writeFile(join(dir, 'file'), '0123456789');
  const ask = async (more: object): Promise<unknown> => {
    const search = new URLSearchParams({ path: join(dir, 'file'), ...more });
    return JSON.parse((await httpRequest(agent.socketPath, { path: `/v1/fs/checksum?${search}` })).body);
  };
  const sum = (text: string): string => createHash('sha256').update(text).digest('hex');
  expect(await ask({})).toMatchObject({ size: 10, sha256: sum('0123456789') });
  expect(await ask({ length: '4' })).toMatchObject({ size: 4, sha256: sum('0123') });
  expect(await readFile(join(dir, 'file'), 'utf8')).toBe('0123456789');
});

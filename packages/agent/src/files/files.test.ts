import { execFileSync } from 'node:child_process';
import {
  chown,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { type HttpAnswer, httpRequest } from '../testing/http-request.ts';

const isRoot = process.getuid?.() === 0;
const daemon = 1;

/** An agent that runs as root and does files as `daemon`, as in a sprite. */
describe.skipIf(!isRoot)('files (needs root)', () => {
  let agent: AgentProcess;
  let dir: string;
  beforeAll(async () => {
    agent = await startAgent({ user: 'daemon' });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    // Not below TMPDIR, which only root may enter.
    dir = await mkdtemp('/var/tmp/sprites-files-');
    await chown(dir, daemon, daemon);
  });
  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  /** Asks with relative paths below the test's directory. */
  async function ask(
    method: string,
    what: string,
    query: Readonly<Record<string, string>> = {},
    body?: string | Buffer,
  ): Promise<HttpAnswer> {
    const search = new URLSearchParams({ workingDir: dir, ...query });
    return await httpRequest(agent.socketPath, {
      method,
      path: `/v1/fs/${what}?${search}`,
      ...(body === undefined ? {} : { body }),
    });
  }
  async function post(what: string, body: object): Promise<HttpAnswer> {
    return await ask('POST', what, {}, JSON.stringify({ workingDir: dir, ...body }));
  }
  const read = (path: string): Promise<HttpAnswer> => ask('GET', 'read', { path });
  const codeOf = ({ status, body }: HttpAnswer): string => `${status} ${JSON.parse(body).code}`;

  describe('writing', () => {
    it('makes missing directories, and a file of the user with the default mode', async () => {
      const answer = await ask('PUT', 'write', { path: 'a/b/file' }, 'text');
      expect([answer.status, JSON.parse(answer.body)]).toEqual([
        200,
        { path: join(dir, 'a/b/file'), size: 4, mode: '0644' },
      ]);
      const stats = await stat(join(dir, 'a/b/file'));
      expect([stats.uid, stats.gid, stats.mode & 0o7777]).toEqual([daemon, daemon, 0o644]);
      expect((await stat(join(dir, 'a'))).uid).toBe(daemon);
    });

    it('replaces a file as a whole and keeps its mode unless told another', async () => {
      await ask('PUT', 'write', { path: 'file', mode: '0755' }, 'one');
      const held = await open(join(dir, 'file'));
      await ask('PUT', 'write', { path: 'file' }, 'two');
      expect(await held.readFile('utf8')).toBe('one');
      await held.close();
      expect(await readFile(join(dir, 'file'), 'utf8')).toBe('two');
      expect((await stat(join(dir, 'file'))).mode & 0o777).toBe(0o755);
      expect(await readdir(dir)).toEqual(['file']);
    });

    it('leaves nothing of an upload that breaks off, and the old file as it was', async () => {
      await ask('PUT', 'write', { path: 'file' }, 'old');
      const path = `/v1/fs/write?${new URLSearchParams({ path: join(dir, 'file') })}`;
      const upload = request({
        socketPath: agent.socketPath,
        method: 'PUT',
        path,
        headers: { 'content-length': 1e9 },
      });
      upload.on('error', () => undefined);
      upload.write(Buffer.alloc(1e6));
      await expect.poll(() => openFilesBelow(agent.pid, dir)).toBeGreaterThan(0);
      upload.destroy();
      await expect.poll(() => openFilesBelow(agent.pid, dir)).toBe(0);
      expect([await readdir(dir), await readFile(join(dir, 'file'), 'utf8')]).toEqual([['file'], 'old']);
    });

    it('goes through symlinks, also dangling ones', async () => {
      await symlink('real', join(dir, 'link'));
      await ask('PUT', 'write', { path: 'link' }, 'text');
      expect([await readFile(join(dir, 'real'), 'utf8'), await readlink(join(dir, 'link'))]).toEqual([
        'text',
        'real',
      ]);
    });

    it('keeps the other names of a file', async () => {
      await writeFile(join(dir, 'file'), 'old longer text');
      await chown(join(dir, 'file'), daemon, daemon);
      await link(join(dir, 'file'), join(dir, 'other'));
      await ask('PUT', 'write', { path: 'file', mode: '0600' }, 'new');
      expect(await readFile(join(dir, 'other'), 'utf8')).toBe('new');
      expect((await stat(join(dir, 'other'))).mode & 0o777).toBe(0o600);
    });

    it('writes at an offset in place and cuts what is behind', async () => {
      await ask('PUT', 'write', { path: 'file' }, '0123456789');
      await ask('PUT', 'write', { path: 'file', offset: '4', modTime: '1000000000' }, 'ab');
      expect(await readFile(join(dir, 'file'), 'utf8')).toBe('0123ab');
      expect((await stat(join(dir, 'file'))).mtimeMs).toBe(1e12);
      expect(codeOf(await ask('PUT', 'write', { path: 'file', offset: '7' }, 'x'))).toBe('416 ERANGE');
    });

    it('gives root’s file back to root', async () => {
      await writeFile(join(dir, 'file'), 'old', { mode: 0o644 });
      expect(codeOf(await ask('PUT', 'write', { path: 'file' }, 'x'))).toBe('403 EACCES');
      expect((await ask('PUT', 'write', { path: 'file', asRoot: 'true' }, 'new')).status).toBe(200);
      await chown(join(dir, 'file'), daemon, daemon);
      await ask('PUT', 'write', { path: 'file', asRoot: 'true' }, 'newer');
      expect((await stat(join(dir, 'file'))).uid).toBe(daemon);
    });
  });

  describe('reading', () => {
    beforeEach(async () => {
      await ask('PUT', 'write', { path: 'file' }, '0123456789');
    });

    it.each([
      [{ start: '2', end: '4' }, undefined, 206, '234', 'bytes 2-4/10'],
      [{ start: '8' }, undefined, 206, '89', 'bytes 8-9/10'],
      [{}, 'bytes=0-0', 206, '0', 'bytes 0-0/10'],
      [{}, 'bytes=-3', 206, '789', 'bytes 7-9/10'],
      [{}, 'bytes=5-99', 206, '56789', 'bytes 5-9/10'],
      [{}, 'bytes=0-1,3-4', 200, '0123456789', undefined],
    ])('gives the range %j %s', async (query, range, status, body, contentRange) => {
      const answer = await rangeRequest({ path: 'file', ...query }, range);
      expect([answer.status, answer.body, answer.headers['content-range']]).toEqual([
        status,
        body,
        contentRange,
      ]);
    });

    it('says that there is nothing of a range', async () => {
      const answer = await rangeRequest({ path: 'file' }, 'bytes=10-');
      expect([codeOf(answer), answer.headers['content-range']]).toEqual(['416 ERANGE', 'bytes */10']);
    });

    async function rangeRequest(
      query: Readonly<Record<string, string>>,
      range: string | undefined,
    ): Promise<HttpAnswer> {
      const search = new URLSearchParams({ workingDir: dir, ...query });
      return await httpRequest(agent.socketPath, {
        path: `/v1/fs/read?${search}`,
        ...(range === undefined ? {} : { headers: { range } }),
      });
    }

    it('gives files of the kernel, whose size nobody knows', async () => {
      expect((await read('/proc/meminfo')).body).toContain('MemTotal');
    });

    it.each(['environ', 'mem', 'maps', 'task/PID/mem'])('does not give the agent’s own %s', async (name) => {
      const path = `/proc/self/${name.replace('PID', String(agent.pid))}`;
      expect(codeOf(await read(path))).toBe('403 EACCES');
      expect(codeOf(await ask('PUT', 'write', { path, offset: '0' }, 'x'))).toBe('403 EACCES');
    });

    it('refuses what could hang', async () => {
      execFileSync('mkfifo', [join(dir, 'fifo')]);
      await chown(join(dir, 'fifo'), daemon, daemon);
      for (const path of ['fifo', '/dev/zero', '/dev/tty']) {
        expect(codeOf(await read(path))).toMatch(/^400 EINVAL|^403/);
        expect(codeOf(await ask('PUT', 'write', { path }, 'x'))).toMatch(/^400 EINVAL|^403/);
      }
      expect(codeOf(await post('copy', { source: 'fifo', dest: 'copy' }))).toBe('400 EINVAL');
      expect((await post('chmod', { path: '.', mode: '0700', recursive: true })).status).toBe(200);
      expect((await stat(join(dir, 'fifo'))).mode & 0o777).toBe(0o700);
    });
  });

  it('has the user’s rights and not the agent’s', async () => {
    await writeFile(join(dir, 'secret'), 'x', { mode: 0o600 });
    expect(codeOf(await read('secret'))).toBe('403 EACCES');
    expect((await ask('GET', 'read', { path: 'secret', asRoot: 'true' })).body).toBe('x');
    await mkdir(join(dir, 'closed'), { mode: 0o700 });
    for (const answer of [
      await ask('GET', 'list', { path: 'closed' }),
      await ask('PUT', 'write', { path: 'closed/file' }, 'x'),
      await ask('PUT', 'write', { path: '/etc/sprites-test' }, 'x'),
      await ask('DELETE', 'delete', { path: '/etc/passwd' }),
      await post('rename', { source: '/etc/passwd', dest: 'mine' }),
      await post('copy', { source: 'secret', dest: 'mine' }),
    ]) {
      expect(codeOf(answer)).toBe('403 EACCES');
    }
    for (const answer of [
      await post('chmod', { path: 'secret', mode: '0777' }),
      await post('chown', { path: 'secret', uid: daemon }),
    ]) {
      expect(codeOf(answer)).toBe('403 EPERM');
    }
    const status = await readFile(`/proc/${agent.pid}/status`, 'utf8');
    expect(status).toMatch(/Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0/);
  });

  it('says on the inside that root is not to be had', async () => {
    const answer = await httpRequest(join(agent.dir, 'api.sock'), {
      path: '/v1/fs/read?path=/etc/shadow&asRoot=true',
    });
    expect(codeOf(answer)).toBe('403 EPERM');
  });

  it('does not follow a symlink that takes the place of a directory or file', async () => {
    await mkdir(join(dir, 'tree/sub'), { recursive: true });
    await mkdir(join(dir, 'outside'));
    await writeFile(join(dir, 'outside/file'), 'x', { mode: 0o600 });
    await symlink('../outside', join(dir, 'tree/link'));
    await symlink('../outside/file', join(dir, 'tree/to-file'));
    await post('chmod', { path: 'tree', mode: '0711', recursive: true, asRoot: true });
    await post('chown', { path: 'tree', uid: daemon, recursive: true, asRoot: true });
    await ask('DELETE', 'delete', { path: 'tree', recursive: 'true', asRoot: 'true' });
    const stats = await stat(join(dir, 'outside/file'));
    expect([stats.mode & 0o777, stats.uid, await readdir(dir)]).toEqual([0o600, 0, ['outside']]);
  });

  it('lists 100,000 entries while other requests are answered', async () => {
    execFileSync('sh', ['-c', 'seq -f "%.0f" 100000 | xargs touch'], { cwd: dir });
    const listed = ask('GET', 'list', { path: '.' });
    let answered = 0;
    const isListed = listed.then(() => true);
    while (!(await Promise.race([isListed, Promise.resolve(false)]))) {
      await httpRequest(agent.socketPath, { path: '/v1/health' });
      answered++;
    }
    expect(answered).toBeGreaterThan(10);
    const { count, entries } = JSON.parse((await listed).body);
    expect([count, entries.length, new Set(entries.map((one: { name: string }) => one.name)).size]).toEqual([
      100_000, 100_000, 100_000,
    ]);
  });

  it('shows names that are no UTF-8, and removes and copies them', async () => {
    const raw = Buffer.concat([Buffer.from(`${dir}/tree/`), Buffer.of(0x61, 0xff, 0x62)]);
    await mkdir(join(dir, 'tree'));
    await chown(join(dir, 'tree'), daemon, daemon);
    await writeFile(raw, 'x');
    const [entry] = JSON.parse((await ask('GET', 'list', { path: 'tree' })).body).entries;
    expect(entry).toMatchObject({ name: 'a\ufffdb', nameBytes: 'Yf9i' });
    await post('copy', { source: 'tree', dest: 'copy', recursive: true });
    expect(await readdir(join(dir, 'copy'), 'buffer')).toEqual([Buffer.of(0x61, 0xff, 0x62)]);
    expect((await ask('DELETE', 'delete', { path: 'tree', recursive: 'true' })).status).toBe(200);
    expect(await readdir(dir)).toEqual(['copy']);
  });

  it('copies a tree with modes, times and symlinks, and not into itself', async () => {
    await ask('PUT', 'write', { path: 'tree/sub/file', mode: '0750', modTime: '1000000000' }, 'text');
    await symlink('sub/file', join(dir, 'tree/link'));
    const answer = JSON.parse(
      (await post('copy', { source: 'tree', dest: 'copy', recursive: true, preserveAttrs: true })).body,
    );
    expect(answer).toMatchObject({ count: 4, totalBytes: 4, source: join(dir, 'tree') });
    const stats = await stat(join(dir, 'copy/sub/file'));
    expect([stats.mode & 0o777, stats.mtimeMs, await readlink(join(dir, 'copy/link'))]).toEqual([
      0o750,
      1e12,
      'sub/file',
    ]);
    expect(codeOf(await post('copy', { source: 'tree', dest: 'tree/in', recursive: true }))).toBe(
      '400 EINVAL',
    );
    expect(codeOf(await post('copy', { source: 'tree', dest: 'x' }))).toBe('400 EISDIR');
  });

  it.each([
    ['PUT', 'read', 405],
    ['GET', 'nothing', 404],
    ['GET', 'read/more', 404],
  ])('answers %s %s with %i', async (method, what, status) => {
    expect((await ask(method, what, { path: 'x' })).status).toBe(status);
  });

  it.each([
    ['list', { path: '.', recursive: 'perhaps' }],
    ['read', { path: 'a\0b' }],
    ['read', {}],
    ['read', { path: 'x', start: '-1' }],
    ['list', { path: '.', pattern: '*'.repeat(1025) }],
  ])('refuses %s of %j', async (what, query) => {
    expect(codeOf(await ask('GET', what, query))).toBe('400 EINVAL');
  });

  it('lists what matches a pattern, at any depth', async () => {
    for (const path of ['a.txt', 'b.md', 'sub/c.txt']) await ask('PUT', 'write', { path }, 'x');
    const { entries } = JSON.parse(
      (await ask('GET', 'list', { path: '.', recursive: 'true', pattern: '*.txt' })).body,
    );
    expect(entries.map((one: { path: string }) => one.path)).toEqual([
      join(dir, 'a.txt'),
      join(dir, 'sub/c.txt'),
    ]);
  });
});

/** Descriptors of the process that are open on files below `dir`. */
async function openFilesBelow(pid: number, dir: string): Promise<number> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(dir)).length;
}

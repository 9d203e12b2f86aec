import { once } from 'node:events';
import { request } from 'node:http';
import { formatTarEnd, formatTarHeader } from '@sprites/contract/files';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();

/** Swaps `tree/sub` with a symlink to `/root/out` over and over, as fast as it goes, and says when it has begun. */
const swap = `
import ctypes, os
libc = ctypes.CDLL(None)
os.chdir('/home/sprite/tree')
first = True
while True:
    libc.syscall(316, -100, b'sub', -100, b'other', 2)
    if first: print('swapping', flush=True)
    first = False
`;

describe('files, before somebody who means harm', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await new SpritesClient(server.token, { baseURL: server.baseURL }).createSprite(
      uniqueName('harm'),
    );
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  type Fields = Readonly<Record<string, string>>;

  /** Asks, and tells status, code and body. */
  async function ask(method: string, what: string, query: Fields, body?: BodyInit): Promise<string> {
    const search = new URLSearchParams(query);
    const answer = await fetch(`${server.baseURL}/v1/sprites/${sprite.name}/fs/${what}?${search}`, {
      method,
      headers: { Authorization: `Bearer ${server.token}` },
      ...(body === undefined ? {} : { body }),
    });
    return `${answer.status} ${await answer.text()}`;
  }

  const inSprite = async (script: string): Promise<string> =>
    (await sprite.execFile('sudo', ['sh', '-c', script])).stdout;

  const refused = /^(400|403|404) .*"code":"E/;

  it.each([
    '/proc/1/environ',
    '/proc/self/mem',
    '/proc/thread-self/environ',
    '/proc/self/task/1/mem',
    '/proc/self/root/proc/1/environ',
    '/proc/self/fd/0',
    '/proc/self/fd/3',
    '/proc/kmsg',
    '/proc/kcore',
    '/dev/zero',
    '/dev/full',
    '/dev/tty',
    '/dev/ptmx',
    '/run/fifo',
    '/run/socket',
  ])('neither give nor take bytes of %s, nor wait for any', async (path) => {
    await inSprite(
      'test -p /run/fifo || { mkfifo -m 666 /run/fifo; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'/run/socket\')"; chmod 666 /run/socket; }',
    );
    for (const rights of [{}, { asRoot: 'true' }]) {
      expect(await ask('GET', 'read', { path, ...rights })).toMatch(refused);
      expect(await ask('GET', 'checksum', { path, ...rights })).toMatch(refused);
      expect(await ask('GET', 'archive', { path, ...rights })).toMatch(refused);
      expect(await ask('PUT', 'write', { path, offset: '0', ...rights }, 'x')).toMatch(refused);
      expect(await ask('PUT', 'write', { path, ...rights }, 'x')).toMatch(refused);
      const copy = JSON.stringify({ source: path, dest: '/tmp/copied', asRoot: rights.asRoot === 'true' });
      expect(await ask('POST', 'copy', {}, copy)).toMatch(refused);
    }
  });

  it.each([
    '/proc/sysrq-trigger',
    '/proc/sys/kernel/core_pattern',
    '/sys/kernel/mm/transparent_hugepage/enabled',
  ])('change nothing of the host by %s', async (path) => {
    expect(await ask('PUT', 'write', { path, offset: '0', asRoot: 'true' }, '0')).toMatch(/^[45]\d\d /);
    expect(await ask('PUT', 'write', { path, asRoot: 'true' }, '0')).toMatch(/^[45]\d\d /);
  });

  it.each([
    'fs/../../../etc/shadow',
    'fs/read%2f..%2f..%2fhealth',
    'fs/%2e%2e/restore',
    'fs/..%2frestore',
    'fs//read',
    'fs/read/',
  ])('are not to be had by the path %s', async (path) => {
    const sent = request(server.baseURL, {
      path: `/v1/sprites/${sprite.name}/${path}?path=/etc/hostname`,
      headers: { Authorization: `Bearer ${server.token}` },
    });
    const answered = once(sent, 'response');
    sent.end();
    const [answer] = await answered;
    answer.resume();
    expect([404, 405]).toContain(answer.statusCode);
  });

  it.each([
    ['../../../../../etc/shadow', '/etc/shadow'],
    ['/home/sprite/../../etc/shadow', '/etc/shadow'],
    ['/proc/self/root/etc/shadow', '/proc/self/root/etc/shadow'],
    ['/proc/self/cwd/etc/shadow', '/proc/self/cwd/etc/shadow'],
  ])('are checked by the kernel wherever the path %s leads', async (path, shown) => {
    expect(await ask('GET', 'read', { path })).toContain(`"code":"EACCES","path":"${shown}"`);
  });

  it('of root’s do not move when somebody swaps a directory for a symlink all the time', async () => {
    await inSprite('mkdir -m 755 -p /root/out; echo secret > /root/out/file; chmod 600 /root/out/file');
    await sprite.execFile('sh', [
      '-c',
      'mkdir -p tree/sub; echo mine > tree/sub/file; ln -s /root/out tree/other',
    ]);
    const swapping = sprite.spawn('python3', ['-c', swap], { stdin: false });
    swapping.on('error', () => undefined);
    await once(swapping.stdout, 'data');
    const archive = Buffer.concat([
      formatTarHeader({ type: 'file', path: Buffer.from('sub/new'), mode: 0o644, size: 0, modTime: 1 }),
      formatTarEnd(),
    ]);
    let archives = 0;
    for (let round = 0; round < 100; round++) {
      const rights = { path: 'tree', asRoot: 'true' };
      const changed = JSON.stringify({ path: 'tree', mode: '0777', recursive: true, asRoot: true });
      const owned = JSON.stringify({ path: 'tree', uid: 1000, recursive: true, asRoot: true });
      const copied = JSON.stringify({ source: 'tree', dest: `copy-${round}`, recursive: true, asRoot: true });
      const [packed, ...others] = await Promise.all([
        ask('GET', 'archive', rights),
        ask('POST', 'chmod', {}, changed),
        ask('POST', 'chown', {}, owned),
        ask('POST', 'copy', {}, copied),
        ask('PUT', 'archive', rights, archive),
      ]);
      expect(packed).not.toContain('secret');
      archives += packed.includes('mine') ? 1 : 0;
      expect(others.every((answer) => /^(200|4\d\d) /.test(answer))).toBe(true);
    }
    swapping.kill('SIGKILL');
    // it was the race that was run, not a refusal of everything
    expect(archives).toBeGreaterThan(0);
    expect(await inSprite('cd /root/out; ls -A; stat -c "%a %u" . file; cat file')).toBe(
      'file\n755 0\n600 0\nsecret\n',
    );
    expect(await inSprite('grep -rl secret /home/sprite || echo none')).toBe('none\n');
    await inSprite('rm -rf /home/sprite/tree /home/sprite/copy-* /root/out');
  });

  it('of root’s are not deleted either', async () => {
    await inSprite('mkdir -p /root/out; cd /root/out && seq 50 | xargs touch');
    for (let round = 0; round < 30; round++) {
      await sprite.execFile('sh', [
        '-c',
        'mkdir -p tree/sub; touch tree/sub/1; ln -sfn /root/out tree/other',
      ]);
      const swapping = sprite.spawn('python3', ['-c', swap], { stdin: false });
      swapping.on('error', () => undefined);
      await once(swapping.stdout, 'data');
      await ask('DELETE', 'delete', { path: 'tree', recursive: 'true', asRoot: 'true' });
      swapping.kill('SIGKILL');
    }
    expect(await inSprite('ls -A /root/out | wc -l')).toBe('50\n');
  });

  it('leave whole ones only of an archive whose sender vanishes', async () => {
    const path = `/v1/sprites/${sprite.name}/fs/archive?path=half`;
    const upload = request(server.baseURL, {
      method: 'PUT',
      path,
      headers: { Authorization: `Bearer ${server.token}`, 'Transfer-Encoding': 'chunked' },
    });
    upload.on('error', () => undefined);
    const entry = (name: string, size: number): Uint8Array =>
      formatTarHeader({ type: 'file', path: Buffer.from(name), mode: 0o644, size, modTime: 1 });
    upload.write(Buffer.concat([entry('one', 0), entry('two', 1e6), Buffer.alloc(5e5, 'x')]));
    await expect.poll(() => inSprite('ls -A /home/sprite/half 2>&1 | wc -l')).toBe('2\n');
    upload.destroy();
    await expect.poll(() => inSprite('ls -A /home/sprite/half')).toBe('one\n');
  });

  it('of 100,000 in one directory are listed, packed and deleted', async () => {
    await sprite.execFile('sh', ['-c', 'mkdir many; cd many; seq 100000 | xargs touch']);
    const list = await ask('GET', 'list', { path: 'many' });
    expect(JSON.parse(list.slice(4))).toMatchObject({ count: 100_000 });
    const { body } = await sprite.filesystem().pack('many');
    let got = 0;
    for await (const chunk of body ?? []) got += chunk.length;
    expect(got).toBeGreaterThan(100_000 * 512);
    expect(await ask('DELETE', 'delete', { path: 'many', recursive: 'true' })).toContain('"count":100001');
  });

  it('are watched while their tree is deleted', async () => {
    const files = sprite.filesystem();
    await sprite.execFile('sh', [
      '-c',
      'for a in $(seq 30); do for b in $(seq 30); do mkdir -p wide/$a/$b; touch wide/$a/$b/file; done; done',
    ]);
    const events = await files.watch('.', { recursive: true });
    await events.next();
    await sprite.execFile('rm', ['-rf', 'wide']);
    for await (const event of events)
      if (event.type === 'event' && event.event === 'remove' && event.path === './wide') break;
    expect(await files.exists('wide')).toBe(false);
  });

  it('do not run out for commands when very many uploads stand still', async () => {
    const uploads = Array.from({ length: 600 }, (_, index) => {
      const sent = request(server.baseURL, {
        method: 'PUT',
        path: `/v1/sprites/${sprite.name}/fs/write?path=slow/${index}`,
        headers: { Authorization: `Bearer ${server.token}`, 'Content-Length': '1000' },
      });
      sent.on('error', () => undefined);
      sent.write('x');
      return sent;
    });
    await expect.poll(() => inSprite('ls -l /proc/1/fd | grep -c deleted')).toBe('600\n');
    expect((await sprite.execFile('echo', ['alive'])).stdout).toBe('alive\n');
    expect(await ask('PUT', 'write', { path: 'other' }, 'text')).toMatch(/^200 /);
    for (const one of uploads) one.destroy();
    await expect.poll(() => inSprite('ls -l /proc/1/fd | grep -c deleted || true')).toBe('0\n');
    expect(await inSprite('ls -A /home/sprite/slow')).toBe('');
  });
});

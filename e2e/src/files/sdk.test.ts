import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { FilesystemError, type Sprite, type SpriteFilesystem, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const mebibyte = 1024 * 1024;

describe('files through our SDK', () => {
  let sprite: Sprite;
  let files: SpriteFilesystem;

  beforeAll(async () => {
    const client = new SpritesClient(server.token, { baseURL: server.baseURL });
    sprite = await client.createSprite(uniqueName('fs'));
    files = sprite.filesystem();
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('are written, read in parts, described, changed and removed', async () => {
    await files.writeFile('a/one', '0123456789', { mode: 0o640, modTime: new Date(1e12) });
    expect(await files.readFile('a/one', { start: 2, end: 3, encoding: 'utf8' })).toBe('23');
    expect(await files.stat('a/one')).toMatchObject({
      size: 10,
      mode: 0o640,
      modTime: new Date(1e12),
      uid: 1000,
    });
    expect(await files.stat('a')).toMatchObject({ name: 'a', isDir: true });
    await files.appendFile('a/one', 'x');
    expect((await files.readFile('a/one')).length).toBe(11);
    await files.mkdir('a/empty', { mode: 0o700 });
    expect(await files.stat('a/empty')).toMatchObject({ isDir: true, mode: 0o700 });
    expect(await files.readdir('a')).toEqual(['empty', 'one']);
    await files.copyFile('a', 'b', { recursive: true });
    await files.rename('b/one', 'b/two');
    await files.chmod('b', 0o755, { recursive: true });
    expect(await files.exists('b/two')).toBe(true);
    await files.rm('b', { recursive: true });
    await files.rm('b', { force: true });
    expect(await files.exists('b')).toBe(false);
    await files.writeJSON('json', { a: 1 });
    expect(await files.readJSON('json')).toEqual({ a: 1 });
  });

  it('fail with the kernel’s code', async () => {
    const failure = await files.readFile('/root/x').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FilesystemError);
    expect(failure).toMatchObject({ code: 'EACCES', path: '/root/x', statusCode: 403 });
    await expect(files.readFile('nothing')).rejects.toMatchObject({ code: 'ENOENT' });
    await files.writeFile('/root/x', 'root', { asRoot: true });
    expect(await files.readFile('/root/x', { asRoot: true, encoding: 'utf8' })).toBe('root');
  });

  it('are watched', async () => {
    const events = await files.watch('.', { recursive: true });
    expect(await events.next()).toEqual({ type: 'subscribed', paths: ['.'] });
    await sprite.execFile('sh', ['-c', 'mkdir w && echo x > w/file']);
    for await (const event of events) if (event.type === 'event' && event.path === './w/file') break;
  });

  it('of 512 MiB pass both ways while server and agent stay small', async () => {
    const size = 512 * mebibyte;
    const before = await agentMemory();
    let left = size;
    const zeros = new Uint8Array(mebibyte);
    const content = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (left === 0) controller.close();
        else controller.enqueue(zeros);
        left -= Math.min(left, mebibyte);
      },
    });
    let most = 0;
    const watching = setInterval(
      () => void serverMemory().then((bytes) => (most = Math.max(most, bytes))),
      100,
    );
    await files.writeFile('big', content);
    expect((await files.stat('big')).size).toBe(size);
    const response = await files.openRead('big');
    let got = 0;
    for await (const chunk of response.body ?? []) got += chunk.length;
    clearInterval(watching);
    expect(got).toBe(size);
    expect(await agentMemory()).toBeLessThan(before + 60 * mebibyte);
    expect(most).toBeLessThan(400 * mebibyte);
    await files.rm('big');
  });

  /** Memory of the agent's process, of which the sprite's own Node is shared. */
  async function agentMemory(): Promise<number> {
    const { stdout } = await sprite.execFile('sh', ['-c', 'sudo grep VmRSS /proc/1/status']);
    return Number(/\d+/.exec(stdout)?.[0]) * 1024;
  }

  /** Peak of the server, whose pid the run's environment tells; 0 when it is not ours. */
  async function serverMemory(): Promise<number> {
    const pid = process.env.SPRITES_E2E_PID;
    if (pid === undefined) return 0;
    return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  it('leave nothing of an upload whose client vanishes or stops half-way', async () => {
    for (const end of ['destroy', 'half-close'] as const) {
      const upload = put('half', { 'content-length': String(100 * mebibyte) });
      upload.on('error', () => undefined);
      upload.write(new Uint8Array(mebibyte));
      await expect
        .poll(async () => (await sprite.exec('sudo ls -l /proc/1/fd')).stdout)
        .toMatch(/\(deleted\)/);
      if (end === 'destroy') upload.destroy();
      else upload.socket?.end();
      await expect
        .poll(async () => (await sprite.exec('sudo ls -l /proc/1/fd')).stdout)
        .not.toMatch(/home.*\(deleted\)/);
      expect(await files.list('.', { pattern: '*half*' })).toEqual([]);
    }
  });

  it('are refused in words although the client is still sending', async () => {
    const upload = put('/root/refused', { 'transfer-encoding': 'chunked' });
    const answer = new Promise<string>((resolve, reject) => {
      upload.on('error', reject);
      upload.on('response', (response) => {
        let text = '';
        response.on('data', (bytes) => {
          text += bytes;
        });
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
      });
    });
    for (let i = 0; i < 64 && !upload.destroyed; i++) upload.write(new Uint8Array(mebibyte));
    expect(await answer).toMatch(/^403 .*"code":"EACCES"/);
    upload.destroy();
  });

  it('come after the server has said that it wants them', async () => {
    const upload = put('expected', { expect: '100-continue' });
    await new Promise((resolve) => upload.once('continue', resolve));
    upload.end('text');
    await new Promise((resolve) =>
      upload.once('response', (response) => response.resume().once('end', resolve)),
    );
    expect(await files.readFile('expected', { encoding: 'utf8' })).toBe('text');
  });

  function put(path: string, headers: Readonly<Record<string, string>>): ReturnType<typeof request> {
    const url = new URL(
      `/v1/sprites/${sprite.name}/fs/write?${new URLSearchParams({ path })}`,
      server.baseURL,
    );
    return request(url, { method: 'PUT', headers: { authorization: `Bearer ${server.token}`, ...headers } });
  }
});

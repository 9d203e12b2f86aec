import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const { baseURL, token } = server;
const client = new SpritesClient(token, { baseURL });

describe('the socket for programs inside a sprite', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('inside'));
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  /** What curl prints inside, with the status in a line of its own at the end. */
  async function curl(...args: readonly string[]): Promise<string> {
    const { stdout } = await sprite.execFile('curl', [
      ...['--silent', '--show-error', '--unix-socket', '/.sprite/api.sock', '--write-out', '\n%{http_code}'],
      ...args,
    ]);
    return String(stdout);
  }

  async function answer(...args: readonly string[]): Promise<{ status: number; body: unknown }> {
    const [body = '', status] = (await curl(...args)).split(/\n(?=\d+$)/);
    return { status: Number(status), body: JSON.parse(body) };
  }

  it('makes, lists and gets checkpoints of this sprite', async () => {
    const made = await curl('-X', 'POST', '-d', '{"comment":"from inside"}', 'http://sprite/v1/checkpoint');
    const lines = made.split('\n').filter((line) => line !== '');
    expect(lines.at(-1)).toBe('200');
    expect(JSON.parse(lines.at(-2) ?? '')).toMatchObject({ type: 'complete', checkpoint: 'v1' });
    const list = await answer('http://sprite/v1/checkpoints?includeAuto=true');
    expect(list).toMatchObject({
      status: 200,
      body: [{ id: 'Current' }, { id: 'v1', comment: 'from inside' }],
    });
    expect(await answer('http://sprite/v1/checkpoints/v1')).toMatchObject({
      status: 200,
      body: { id: 'v1' },
    });
    expect((await sprite.getCheckpoint('v1')).comment).toBe('from inside');
  });

  it('restores this sprite, which ends the caller', async () => {
    await sprite.execFile('sh', ['-c', 'echo kept > ~/file']);
    const { id } = await sprite.checkpoint();
    await sprite.execFile('sh', ['-c', 'echo lost > ~/file']);
    const restore = curl('-X', 'POST', `http://sprite/v1/checkpoints/${id}/restore`);
    await expect(restore).rejects.toThrow();
    await expect
      .poll(async () => String((await sprite.execFile('cat', ['file'])).stdout), { timeout: 20_000 })
      .toBe('kept\n');
  });

  it('tells of the sprite itself', async () => {
    expect(await answer('http://sprite/v1/sprite')).toMatchObject({
      status: 200,
      body: { name: sprite.name, status: 'running' },
    });
  });

  it.each([
    ['another sprite', 'http://sprite/v1/checkpoints/../../other'],
    ['the list of sprites', 'http://sprite/v1/sprites'],
    ['an unknown path', 'http://sprite/v1/nonsense'],
    ['the link of the server', 'http://sprite/v1/link'],
  ])('answers nothing about %s', async (_, url) => {
    expect(await answer('--path-as-is', url)).toMatchObject({ status: expect.toSatisfy((s) => s >= 403) });
  });

  it('cannot change or delete the sprite', async () => {
    expect(await answer('-X', 'DELETE', 'http://sprite/v1/sprite')).toMatchObject({
      status: 403,
      body: { error: 'forbidden' },
    });
    expect(await answer('-X', 'PUT', '-d', '{"labels":["x"]}', 'http://sprite/v1/sprite')).toMatchObject({
      status: 403,
    });
  });

  it('refuses a body that is too long', async () => {
    const script = `head -c 20000 /dev/zero | tr '\\0' x | curl -s --unix-socket /.sprite/api.sock -d @- http://sprite/v1/checkpoint`;
    const { stdout } = await sprite.execFile('sh', ['-c', script]);
    expect(JSON.parse(String(stdout))).toMatchObject({ error: 'request_too_large' });
  });

  it('is closed to other accounts', async () => {
    const script = `sudo setpriv --reuid 33 --regid 33 --clear-groups curl -s --unix-socket /.sprite/api.sock http://sprite/v1/sprite`;
    await expect(sprite.execFile('sh', ['-c', script])).rejects.toMatchObject({ exitCode: 7 });
  });

  it('is in a directory that only root can write to', async () => {
    await expect(sprite.execFile('touch', ['/.sprite/x'])).rejects.toMatchObject({ exitCode: 1 });
    await expect(sprite.execFile('sh', ['-c', 'rm -f /.sprite/api.sock'])).rejects.toMatchObject({
      exitCode: 1,
    });
  });
});

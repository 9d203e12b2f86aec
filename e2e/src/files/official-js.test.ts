import { type Sprite, SpritesClient } from '@fly/sprites';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();

describe('files through the official JS SDK', () => {
  const client = new SpritesClient(token, { baseURL });
  let sprite: Sprite;
  let files: ReturnType<Sprite['filesystem']>;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('jsfs'));
    files = sprite.filesystem('/home/sprite');
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('are written, read, appended to and described', async () => {
    await files.writeFile('notes/one.txt', 'hello ä\n', { mode: 0o600 });
    expect(await files.readFile('notes/one.txt', 'utf8')).toBe('hello ä\n');
    expect((await sprite.exec('stat -c %a:%U:%s notes/one.txt')).stdout).toBe('600:sprite:9\n');
    await files.appendFile('notes/one.txt', 'more');
    await files.appendFile('fresh', 'first');
    expect(await files.readFile('fresh', 'utf8')).toBe('first');
    const stat = await files.stat('notes/one.txt');
    expect([stat.size, stat.mode & 0o777, stat.isFile(), stat.isDirectory()]).toEqual([
      13,
      0o600,
      true,
      false,
    ]);
    await files.writeJSON('data.json', { a: [1] });
    expect(await files.readJSON('data.json')).toEqual({ a: [1] });
  });

  it('are made, listed, renamed, copied and removed', async () => {
    await files.mkdir('tree/deep/er', { recursive: true });
    await files.writeFile('tree/b', 'b');
    await files.writeFile('tree/a', 'a');
    expect(await files.readdir('tree')).toEqual(['a', 'b', 'deep']);
    const kinds = await files.readdir('tree', { withFileTypes: true });
    expect(kinds.map((one) => [one.name, one.isDirectory()])).toEqual([
      ['a', false],
      ['b', false],
      ['deep', true],
    ]);
    await files.rename('tree/a', 'tree/b');
    expect(await files.readFile('tree/b', 'utf8')).toBe('a');
    await files.copyFile('tree/b', 'tree/c');
    await files.copyFile('tree', 'twin', { recursive: true });
    const { stdout } = await sprite.execFile('sh', ['-c', 'find twin | sort | xargs']);
    expect(stdout).toBe('twin twin/b twin/c twin/deep twin/deep/er\n');
    await files.chmod('tree/c', 0o755);
    expect((await files.stat('tree/c')).mode & 0o777).toBe(0o755);
    await files.rm('twin', { recursive: true });
    expect(await files.exists('twin')).toBe(false);
    expect(await files.exists('tree/c')).toBe(true);
    await files.rm('twin', { recursive: true, force: true });
  });

  it('change their owner as root only', async () => {
    await files.writeFile('owned', '');
    await expect(files.chown('owned', { uid: 0 })).rejects.toMatchObject({ code: 'EPERM' });
    await files.chown('owned', { uid: 'root', gid: 0, asRoot: true });
    expect((await sprite.exec('stat -c %U:%G owned')).stdout).toBe('root:root\n');
  });

  it('say by a code why something fails', async () => {
    await expect(files.readFile('nothing')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(files.readFile('/etc')).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(files.readFile('/etc/shadow')).rejects.toMatchObject({ code: 'EACCES' });
    await expect(files.readdir('/root')).rejects.toMatchObject({ code: 'EACCES' });
    await expect(files.rm('tree')).rejects.toMatchObject({ code: 'ENOTEMPTY' });
  });
});

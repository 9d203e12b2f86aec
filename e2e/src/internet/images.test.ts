import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { APIError, SpritesClient } from '@sprites/sdk';
import { runServerCommand, startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTimeoutMs } from './internet.ts';
import { buildImage } from './standard-image.ts';
import { writeTinyRootfs } from './tiny-rootfs.ts';

const line = (name: string): RegExp => new RegExp(`^${name} +sha256:[0-9a-f]{12} +\\d+ MiB +\\d{4}-`, 'm');

describe('sprites-server image', () => {
  let folder: string;
  let images: string;
  let server: TestServer;
  let client: SpritesClient;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'images-'));
    images = path.join(folder, 'images');
    await writeTinyRootfs(path.join(folder, 'one.tar'), 'one');
    await writeTinyRootfs(path.join(folder, 'two.tar'), 'two');
    server = await startTestServer({ imagesDir: images, image: 'tiny' });
    client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  }, buildTimeoutMs);
  afterAll(async () => {
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const image = (...args: readonly string[]): Promise<string> =>
    runServerCommand(['image', ...args], {
      PATH: process.env.PATH ?? '',
      SPRITES_DATA_DIR: server.dataDir,
      SPRITES_IMAGES_DIR: images,
    });
  const run = async (name: string, script: string): Promise<string> =>
    (await client.sprite(name).execFile('sh', ['-c', script])).stdout;

  it('refuses to create a sprite of an image that is not installed', async () => {
    const refusal = await client.createSprite('early').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(APIError);
    expect(refusal).toMatchObject({ statusCode: 400, errorCode: 'unknown_image' });
    const named = await client.createSprite('early', { image: 'nix' }).catch((error: unknown) => error);
    expect(named).toMatchObject({ statusCode: 400, errorCode: 'unknown_image' });
    expect(String(named)).toContain('nix');
    expect(await client.listAllSprites()).toEqual([]);
  });

  it('says so when none is installed', async () => {
    expect(await image('list')).toBe('');
    expect(await image('list', '--json')).toBe('[]\n');
  });

  it('imports a root file system while the server runs', async () => {
    expect(await image('import', path.join(folder, 'one.tar'), '--name', 'tiny')).toMatch(/^tiny sha256:/);
    expect(await image('list')).toMatch(line('tiny'));
    expect(JSON.parse(await image('list', '--json'))).toMatchObject([
      { name: 'tiny', size_bytes: expect.any(Number) },
    ]);
  });

  it('gives a sprite that runs commands although the image has no libc', async () => {
    await client.createSprite('first');
    expect(await run('first', 'cat /etc/release; id -u; echo $HOME; touch mine; ls')).toBe(
      'one\n1000\n/home/sprite\nmine\n',
    );
    expect(await run('first', 'ls -d /lib /usr 2>&1 || true')).toContain('/lib: No such file or directory');
  });

  it('lets a sprite keep its image when the name gets another one', async () => {
    await image('import', path.join(folder, 'two.tar'), '--name', 'tiny');
    await client.createSprite('second');
    await client.sprite('first').restart();
    expect(await run('first', 'cat /etc/release mine')).toBe('one\n');
    expect(await run('second', 'cat /etc/release')).toBe('two\n');
  });

  it('moves a sprite to the newest build when it is upgraded', async () => {
    await client.sprite('first').upgrade();
    expect(await run('first', 'cat /etc/release; ls mine')).toBe('two\nmine\n');
  });

  it('does not remove an image that a sprite uses', async () => {
    await expect(image('rm', 'tiny')).rejects.toThrow(/image tiny is in use by sprites; destroy them first/);
    expect(await image('list')).toMatch(line('tiny'));
    expect(await run('second', 'cat /etc/release')).toBe('two\n');
  });

  it('removes an image that no sprite uses', async () => {
    await client.deleteSprite('first');
    await client.deleteSprite('second');
    await image('rm', 'tiny');
    await image('rm', 'tiny');
    expect(await image('list')).toBe('');
    expect(await readdir(images)).toEqual([]);
    await expect(image('rm', 'tiny')).rejects.toThrow(/there is no image tiny/);
    await expect(client.createSprite('late')).rejects.toMatchObject({ statusCode: 400 });
  });

  it.each([
    ['no archive', 'junk', /junk/],
    ['no root file system', 'empty', /\/etc\/passwd/],
  ])('refuses to import %s, and leaves nothing', async (_, name, message) => {
    const file = path.join(folder, name);
    await writeFile(file, name === 'empty' ? Buffer.alloc(10_240) : 'this is no archive');
    await expect(image('import', file, '--name', 'bad')).rejects.toThrow(message);
    await expect(image('import', file, '--name', 'Bad/../name')).rejects.toThrow(/a name has/);
    expect(await readdir(images)).toEqual([]);
  });

  it('refuses a recipe that it does not have, and tells which it has', async () => {
    await expect(image('build', 'gentoo')).rejects.toThrow(/gentoo.*full, minimal, standard/);
  });

  it('builds nothing when the image of the very recipe is there', { timeout: buildTimeoutMs }, async () => {
    const dir = process.env.SPRITES_E2E_IMAGES;
    const settings = dir === undefined ? { SPRITES_IMAGES_DIR: images } : { SPRITES_IMAGES_DIR: dir };
    const built = await buildImage('minimal', settings);
    const startMs = performance.now();
    expect(await buildImage('minimal', settings)).toBe(built);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(built).toMatch(/^minimal sha256:[0-9a-f]{64}\n$/);
  });
});

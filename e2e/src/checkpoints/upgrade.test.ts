import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { runServerCommand, startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyRootfs } from '../internet/tiny-rootfs.ts';
import { failure } from './failure.ts';

let folder: string;
let images: string;
let server: TestServer;
let client: SpritesClient;
let sprite: Sprite;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'upgrade-'));
  images = path.join(folder, 'images');
  server = await startTestServer({
    imagesDir: images,
    image: 'tiny',
    settings: { SPRITES_DISK_GB: '1', SPRITES_READY_MACHINES: '0' },
  });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  await importBuild('one');
  sprite = await client.createSprite('upgraded');
  await run('echo mine > mine; echo mine > also');
}, 120_000);
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

function image(...args: readonly string[]): Promise<string> {
  return runServerCommand(['image', ...args], {
    PATH: process.env.PATH ?? '',
    SPRITES_DATA_DIR: server.dataDir,
    SPRITES_IMAGES_DIR: images,
  });
}

/** Installs a newer build of the image, whose /etc/release holds the text; answers its digest. */
async function importBuild(release: string): Promise<string> {
  const tar = path.join(folder, `${release}.tar`);
  await writeTinyRootfs(tar, release);
  const said = await image('import', tar, '--name', 'tiny');
  return said.trim().split(' ')[1] ?? '';
}

async function run(script: string): Promise<string> {
  return (await sprite.execFile('sh', ['-c', script])).stdout;
}

/** Overwrites the beginning of a file. */
async function spoil(file: string): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(65_536, 0xa5), 0, undefined, 0);
}

/** What the sprite is and has: the build it runs on, and its files. */
async function state(): Promise<{ readonly digest: string | undefined; readonly said: string }> {
  const { environmentVersion } = await client.getSprite('upgraded');
  return { digest: environmentVersion, said: await run('cat /etc/release mine also') };
}

describe('an upgrade of the base image', () => {
  it('keeps the files, saves them before, and can be undone with its image', async () => {
    const before = await state();
    expect(before.said).toBe('one\nmine\nmine\n');
    const digest = await importBuild('two');
    await sprite.upgrade();
    expect(await state()).toEqual({ digest, said: 'two\nmine\nmine\n' });
    const [saved] = (await sprite.listCheckpoints({ includeAuto: true })).filter(({ isAuto }) => isAuto);
    expect(saved).toMatchObject({ comment: 'before upgrade of image tiny' });
    await run('echo later > also');
    await expect(image('rm', before.digest ?? '')).rejects.toThrow(/in use/);
    await sprite.restore(saved?.id ?? '');
    expect(await state()).toEqual(before);
    const copy = await sprite.fork('copy', { checkpoint: saved?.id ?? '' });
    expect(copy.environmentVersion).toBe(before.digest);
    await copy.delete();
    await sprite.upgrade();
    expect(await state()).toEqual({ digest, said: 'two\nmine\nmine\n' });
  }, 120_000);

  it('to a build that does not boot is taken back, with the reason', async () => {
    const before = await state();
    const digest = await importBuild('broken');
    const [file] = (await readdir(images)).filter(
      (name) => name.endsWith('.erofs') && name.includes(digest.slice(7, 19)),
    );
    await spoil(path.join(images, file ?? ''));
    const error = await failure(sprite.upgrade());
    expect(error).toMatchObject({ statusCode: 503, errorCode: 'wake_failed' });
    expect(error.message).toMatch(
      /^the newest build of image tiny could not be used \(.+\); sprite upgraded has its old image and disk back$/,
    );
    expect(await state()).toEqual(before);
    await image('rm', digest);
  }, 120_000);

  it('is there or not after the server was killed in the middle, and nothing is lost', async () => {
    let present = await state();
    for (const [index, delayMs] of [10, 60, 120, 250, 500].entries()) {
      const release = `build${index}`;
      const digest = await importBuild(release);
      const upgraded = sprite.upgrade().then(
        () => true,
        () => false,
      );
      await sleep(delayMs);
      await server.kill9();
      const isAcknowledged = await upgraded;
      await server.restart();
      const next = { digest, said: `${release}\nmine\nmine\n` };
      const found = await state();
      expect(isAcknowledged ? [next] : [present, next]).toContainEqual(found);
      present = found;
    }
    await sprite.upgrade();
    expect((await state()).said).toBe('build4\nmine\nmine\n');
  }, 120_000);

  it('stands alone: a checkpoint or another upgrade meanwhile is refused', async () => {
    await importBuild('last');
    let isOver = false;
    const upgrading = sprite.upgrade().finally(() => {
      isOver = true;
    });
    const refused = { statusCode: 409, errorCode: 'operation_in_progress' };
    const refusal = async (): Promise<unknown> => {
      // one that comes before the upgrade has begun goes through
      for (;;) {
        await sleep(30);
        const error = await sprite.checkpoint().catch((reason: unknown) => reason);
        if (error instanceof Error || isOver) return error;
      }
    };
    expect(await refusal()).toMatchObject(refused);
    await expect(sprite.upgrade()).rejects.toMatchObject(refused);
    await upgrading;
    expect((await state()).said).toBe('last\nmine\nmine\n');
  }, 120_000);
});

import { execFile } from 'node:child_process';
import { open, truncate, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { failure } from './failure.ts';
import { diskFile, flip } from './on-disk.ts';
import { sh } from './tree.ts';

let server: TestServer;
let client: SpritesClient;
let neighbour: Sprite;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_DISK_GB: '1', SPRITES_READY_MACHINES: '0' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  neighbour = await client.createSprite('neighbour');
  await sh(neighbour, 'echo fine > file');
}, 120_000);
afterAll(async () => {
  await server?.close();
}, 120_000);

/** A cold sprite with a checkpoint, and files that came after it. */
async function create(name: string): Promise<Sprite> {
  const sprite = await client.createSprite(name);
  await sh(sprite, 'echo saved > file; mkdir dir; echo deep > dir/file; sync');
  await sprite.checkpoint();
  await sh(sprite, 'echo later > file; sync');
  await sprite.sleep({ to: 'cold' });
  return sprite;
}

/** Overwrites blocks of a file. */
async function spoil(file: string, offset: number): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(65_536, 0xa5), 0, undefined, offset);
}

async function expectNeighbourFine(): Promise<void> {
  expect(await sh(neighbour, 'cat file; echo still > other; cat other')).toBe('fine\nstill\n');
}

describe('a live disk', () => {
  it.each([
    ['missing', (file: string) => unlink(file), /its disk is missing/],
    ['cut off', (file: string) => truncate(file, 300_000_000), /its disk is cut off after 300000000 of/],
    ['empty', (file: string) => truncate(file, 0), /its disk is empty/],
    [
      'with a flipped bit in its first block',
      (file: string) => flip(file, 1100),
      /does not match its checksum/,
    ],
    ['with spoiled tables', (file: string) => spoil(file, 4096), /its file system is damaged/],
  ])(
    'that is %s is named, with the way back, and comes back by restore',
    async (title, damage, reason) => {
      const name = title.replaceAll(/\W+/g, '-');
      const sprite = await create(name);
      await damage(diskFile(server, sprite));
      const error = await failure(sprite.restart().then(() => sprite.execFile('true')));
      expect(error).toMatchObject({ errorCode: 'disk_damaged', statusCode: 409 });
      expect(error.message).toMatch(reason);
      expect(error.message).toMatch(
        new RegExp(
          `^the disk of sprite ${name} is damaged: .*: sprite restore -s ${name} v1; save what is .*: sprite export -s ${name}`,
        ),
      );
      expect((await sprite.check()).reason).toMatch(reason);
      await expectNeighbourFine();
      await server.kill9();
      await server.restart();
      await expectNeighbourFine();
      await sprite.restore('v1');
      expect(await sh(sprite, 'cat file dir/file')).toBe('saved\ndeep\n');
      const saved = (await sprite.listCheckpoints({ includeAuto: true })).filter(({ isAuto }) => isAuto);
      expect(saved.length).toBe(title === 'missing' ? 0 : 1);
      await sprite.delete();
    },
    120_000,
  );

  it('that proves damaged in use takes no writes, says so in the history, and comes back', async () => {
    const sprite = await create('in-use');
    const file = diskFile(server, sprite);
    const { stdout } = await promisify(execFile)('debugfs', ['-R', 'blocks /upper/home/sprite/dir', file]);
    const block = Number(stdout.trim().split(/\s+/)[0]);
    expect(block).toBeGreaterThan(0);
    await flip(file, block * 4096 + 40);
    expect(await sh(sprite, 'cat file')).toBe('later\n');
    await sh(sprite, 'ls -l dir').catch(() => undefined);
    await expect
      .poll(
        async () => {
          const messages: string[] = [];
          for await (const { message } of await sprite.events()) messages.push(message);
          return messages.join('\n');
        },
        { timeout: 30_000 },
      )
      .toMatch(/found damage .* sprite restore -s in-use v1/);
    await expectNeighbourFine();
    await sprite.restore('v1');
    expect(await sh(sprite, 'cat file dir/file; echo x > new; cat new')).toBe('saved\ndeep\nx\n');
  }, 120_000);

  it('gives what is readable of it to an export, which says what is missing', async () => {
    const sprite = await create('rescued');
    const file = diskFile(server, sprite);
    const { stdout } = await promisify(execFile)('debugfs', ['-R', 'blocks /upper/home/sprite/dir', file]);
    await flip(file, Number(stdout.trim().split(/\s+/)[0]) * 4096 + 40);
    const cli = await CommandLine.openFor({ baseURL: server.baseUrl, token: server.token });
    try {
      const archive = `${cli.home}/rescued.tar.zst`;
      const exported = await cli.run(['export', '-s', 'rescued', archive]);
      expect(exported).toMatchObject({ code: 3, stderr: expect.stringContaining('home/sprite/dir') });
      expect(await cli.run(['import', archive, 'again'])).toMatchObject({ code: 0 });
      expect(await sh(client.sprite('again'), 'cat file')).toBe('later\n');
    } finally {
      await cli.close();
    }
    await expectNeighbourFine();
  }, 120_000);
});

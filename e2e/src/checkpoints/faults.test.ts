import { open, readdir, stat, truncate, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failure } from './failure.ts';
import { growTree, hashTree, sh } from './tree.ts';

let server: TestServer;
let client: SpritesClient;

beforeEach(async () => {
  server = await startTestServer();
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

// Closing throws when anything is left in the kernel.
afterEach(async () => {
  await server.close();
}, 120_000);

/** Fills the process table and keeps it full: a shell would end at the first failure. */
const bomb = `
import os, time
while True:
    try: os.posix_spawnp('sleep', ['sleep', '10000'], os.environ)
    except OSError: time.sleep(0.01)
`;

/** The file that holds a checkpoint on the host. */
async function checkpointFile({ info }: Sprite, id: string): Promise<string> {
  const file = path.join(server.dataDir, 'pool', 'checkpoints', info?.id ?? '', `${id}.ext4`);
  await stat(file);
  return file;
}

/** Overwrites 64 KiB of a file. */
async function scribble(file: string, offset: number): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(65_536, 0xa5), 0, undefined, offset);
}

/** Whatever in the pool has a name of something half-made. */
async function unfinished(): Promise<readonly string[]> {
  const names = await readdir(path.join(server.dataDir, 'pool'), { recursive: true });
  return names.filter((name) => name.includes('unfinished'));
}

/** Expects that every checkpoint, automatic ones too, has one of the known trees, and the named ones their own. */
async function expectWhole(sprite: Sprite, hashes: ReadonlyMap<string, string>): Promise<void> {
  const all = await sprite.listCheckpoints({ includeAuto: true });
  expect(all.filter(({ health }) => health !== '')).toEqual([]);
  for (const { id } of all.filter((one) => one.id !== 'Current')) {
    const copy = await sprite.fork(`copy-${id}`, { checkpoint: id });
    const known = hashes.get(id);
    expect(known === undefined ? [...hashes.values()] : [known], id).toContain(await hashTree(copy));
    await copy.delete();
  }
}

describe('kill -9 of the server', () => {
  it('in the middle of restores leaves the old disk or the new one, and every checkpoint whole', async () => {
    const sprite = await client.createSprite('torn');
    const hashes = new Map<string, string>();
    for (const seed of ['one', 'two']) {
      await growTree(sprite, seed);
      hashes.set((await sprite.checkpoint()).id, await hashTree(sprite));
    }
    let present = 'v2';
    // a restore takes some 300 ms: from before its first step to after its last
    for (const delayMs of [1, 8, 20, 45, 90, 130, 180, 250, 400].map(
      (ms) => ms * (0.7 + 0.6 * Math.random()),
    )) {
      const target = present === 'v1' ? 'v2' : 'v1';
      const restored = sprite.restore(target).then(
        () => true,
        () => false,
      );
      await sleep(delayMs);
      await server.kill9();
      const isAcknowledged = await restored;
      await server.restart();
      const hash = await hashTree(sprite);
      const allowed = isAcknowledged ? [target] : [present, target];
      const found = allowed.find((id) => hashes.get(id) === hash);
      expect(found, `${Math.round(delayMs)} ms into the restore of ${target}`).toBeDefined();
      present = found ?? present;
      expect(await unfinished()).toEqual([]);
    }
    await expectWhole(sprite, hashes);
  }, 240_000);

  it.each([3, 15, 40, 100])(
    '%d ms into checkpoints and forks keeps those that were acknowledged',
    async (delayMs) => {
      const sprite = await client.createSprite('busy');
      await growTree(sprite, 'one');
      const hash = await hashTree(sprite);
      const checkpoints: string[] = [];
      const forks: string[] = [];
      const work = Array.from({ length: 6 }, async (_, index) => {
        checkpoints.push((await sprite.checkpoint()).id);
        forks.push((await sprite.fork(`copy-${index}`)).name);
      });
      const settled = Promise.allSettled(work);
      await sleep(delayMs);
      await server.kill9();
      await settled;
      await server.restart();
      expect(await hashTree(sprite)).toBe(hash);
      const found = (await sprite.listCheckpoints()).map(({ id }) => id);
      expect(found).toEqual(expect.arrayContaining(checkpoints));
      const names = (await client.listAllSprites()).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(forks));
      for (const name of names) expect(await hashTree(client.sprite(name))).toBe(hash);
      for (const id of checkpoints) {
        await sprite.restore(id);
        expect(await hashTree(sprite)).toBe(hash);
      }
      expect(await unfinished()).toEqual([]);
      // numbers are not given twice
      const number = Math.max(0, ...found.filter((id) => id !== 'Current').map((id) => Number(id.slice(1))));
      expect(Number((await sprite.checkpoint()).id.slice(1))).toBeGreaterThan(number);
    },
    120_000,
  );
});

describe('what ends a restore from outside', () => {
  it.each([5, 60, 150])(
    'is the server’s orderly end after %d ms: old disk or new one',
    async (delayMs) => {
      const sprite = await client.createSprite('stopped');
      await growTree(sprite, 'one');
      const one = await hashTree(sprite);
      await sprite.checkpoint();
      await growTree(sprite, 'two');
      const two = await hashTree(sprite);
      const restored = sprite.restore('v1').then(
        () => true,
        () => false,
      );
      await sleep(delayMs);
      await server.stop();
      const isAcknowledged = await restored;
      await server.restart();
      expect(isAcknowledged ? [one] : [one, two]).toContain(await hashTree(sprite));
      await sprite.restore('v1');
      expect(await hashTree(sprite)).toBe(one);
    },
    120_000,
  );

  it.each([0, 60, 150])(
    'is the deletion of the sprite after %d ms: it is gone and its name is free',
    async (delayMs) => {
      const sprite = await client.createSprite('deleted');
      await growTree(sprite, 'one');
      await sprite.checkpoint();
      const restored = sprite.restore('v1').catch((error: unknown) => error);
      await sleep(delayMs);
      await sprite.delete();
      await restored;
      expect(await failure(client.getSprite('deleted'))).toMatchObject({ statusCode: 404 });
      const again = await client.createSprite('deleted');
      expect(await sh(again, 'ls')).toBe('');
      await expect
        .poll(() => readdir(path.join(server.dataDir, 'pool', 'disks')), { timeout: 20_000 })
        .toEqual([`${again.id}.ext4`]);
    },
    120_000,
  );
});

describe('a checkpoint that cannot be used', () => {
  let sprite: Sprite;
  let hash: string;

  beforeEach(async () => {
    sprite = await client.createSprite('careful');
    await growTree(sprite, 'one');
    await sprite.checkpoint();
    await growTree(sprite, 'two');
    hash = await hashTree(sprite);
  });

  it.each([
    ['cut off', (file: string) => truncate(file, 4096 * 300)],
    ['empty', (file: string) => truncate(file, 0)],
    ['gone', (file: string) => unlink(file)],
    ['scribbled on', (file: string) => scribble(file, 1200)],
  ])(
    'as its file is %s is refused before anything stops, with the newest good one',
    async (_, damage) => {
      await sprite.checkpoint();
      await damage(await checkpointFile(sprite, 'v1'));
      const running = sprite.spawn('cat');
      await new Promise<void>((resolve) => running.once('spawn', resolve));
      for (const refused of [() => sprite.restore('v1'), () => sprite.fork('copy', { checkpoint: 'v1' })]) {
        const error = await failure(refused());
        expect(error).toMatchObject({ statusCode: 409, errorCode: 'checkpoint_damaged' });
        expect(error.message).toContain('the newest good one is v2');
      }
      running.stdin.end();
      expect(await running.wait()).toBe(0);
      expect((await sprite.getCheckpoint('v1')).health).not.toBe('');
      await sprite.restore('v2');
      expect(await hashTree(sprite)).toBe(hash);
    },
    120_000,
  );

  it('as it does not mount: the old disk is back, with the reason, and the next try can go well', async () => {
    await sprite.checkpoint();
    // behind the first block, so that only the kernel finds it
    await scribble(await checkpointFile(sprite, 'v1'), 4096);
    const error = await failure(sprite.restore('v1'));
    expect(error).toMatchObject({ errorCode: 'wake_failed' });
    expect(error.message).toMatch(/^v1 could not be restored \(.+\); sprite careful has its old disk back$/);
    expect(await hashTree(sprite)).toBe(hash);
    expect((await sprite.getCheckpoint('Current')).sourceId).toBe('v2');
    await sprite.restore('v2');
    expect(await hashTree(sprite)).toBe(hash);
    // a fork of it is no trap either: it can be removed
    const copy = await sprite.fork('copy', { checkpoint: 'v1' });
    await failure(copy.execFile('true'));
    await copy.delete();
  }, 120_000);

  // The agent, its libraries and its first process are none of the image's, so these machines boot all the same.
  it.each([
    [
      '/etc was a file',
      'mv /etc /etc-aside && echo no > /etc',
      'ls -d /etc-aside/passwd',
      '/etc-aside/passwd\n',
    ],
    ['/usr is moved aside', 'exec mv /usr /usr-aside', '', 'no shell'],
    ['/sbin dangles', 'rm -rf /sbin && ln -sn /nowhere /sbin', 'readlink /sbin', '/nowhere\n'],
    [
      'the disk is full',
      'cat /dev/zero > /full; sync; cat /dev/zero > /fuller',
      'head -c 1M /dev/zero > x || echo full',
      'full\n',
    ],
    ['nobody may enter /', 'exec chmod 0 /', '', 'no shell'],
  ])(
    'is hard to make: a sprite comes up although %s, and can be restored',
    async (title, script, probe, evidence) => {
      if (title === 'the disk is full') await shrink();
      await sprite.execFile('sudo', ['sh', '-c', script]).catch(() => undefined);
      const broken = await sprite.checkpoint();
      await sprite.restore('v1');
      await sprite.restore(broken.id);
      expect((await sprite.check()).status).toBe('ok');
      expect(await sh(sprite, probe).catch(() => 'no shell')).toBe(evidence);
      await sprite.restore('v1');
      expect(await sh(sprite, 'head -1 /home/sprite/tree/a/file-1')).toBe('one 1\n');
    },
    120_000,
  );

  it('is hard to make: a sprite comes up although a service of it fills the process table at once', async () => {
    await sprite.execFile('tee', ['/home/sprite/bomb.py'], { input: bomb });
    await sprite.execFile('/.sprite/bin/sprite-env', [
      ...['services', 'create', 'bomb', '--no-stream', '--cmd', 'python3', '--args', '/home/sprite/bomb.py'],
    ]);
    await expect
      .poll(
        () =>
          sh(sprite, 'true').then(
            () => 'ran',
            () => 'full',
          ),
        { timeout: 60_000 },
      )
      .toBe('full');
    const broken = await sprite.checkpoint();
    await sprite.restore('v1');
    expect(await hashTree(sprite)).not.toBe(hash);
    await sprite.restore(broken.id);
    expect((await sprite.check()).status).toBe('ok');
    await sprite.restore('v1');
    expect(await sh(sprite, 'head -1 /home/sprite/tree/a/file-1')).toBe('one 1\n');
  }, 240_000);

  /** Leaves little free on the disk without writing as much. */
  async function shrink(): Promise<void> {
    await sprite.execFile('sudo', [
      'sh',
      '-c',
      'fallocate -l $(($(df --output=avail -k / | tail -1) - 100000))K /ballast',
    ]);
  }
});

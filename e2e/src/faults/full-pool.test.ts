import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer, type TestServerOptions } from '@sprites/testkit';
import { afterEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const gib = 1024 ** 3;
let server: TestServer;
let client: SpritesClient;

const settings = { SPRITES_POOL_GB: '2', SPRITES_MEMORY_MB: '1024' };

async function start(options: TestServerOptions = {}): Promise<void> {
  server = await startTestServer({ settings, ...options });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
}

afterEach(async () => {
  await server.close();
}, 120_000);

/** A program that appends numbers to a file, syncs each, and then says it; refused ones it says with a minus. */
const diary = `i=0
while :; do
  i=$((i + 1))
  if echo $i >>diary 2>/dev/null && sync diary; then echo $i; else echo -$i; fi
  sleep 0.01
done`;

/** Keeps a diary in the sprite until it is closed; answers what was acknowledged. */
function keepDiary(sprite: Sprite) {
  const command = sprite.spawn('sh', ['-c', diary], { stdin: false, detachable: true });
  let said = '';
  command.stdout.on('data', (chunk) => {
    said += Buffer.from(chunk).toString();
  });
  command.on('error', () => undefined);
  return {
    count: () => said.split('\n').length,
    async close(): Promise<readonly number[]> {
      await sprite.execFile('pkill', ['-f', 'diary']).catch(() => undefined);
      await command.wait().catch(() => undefined);
      const numbers = said.trim().split('\n').map(Number);
      return numbers.filter((number) => number > 0);
    },
  };
}

async function sh(sprite: Sprite, line: string) {
  const { stdout, exitCode } = await sprite
    .execFile('sh', ['-c', `{ ${line}; } 2>&1`])
    .catch((error: unknown) => {
      if (typeof error === 'object' && error !== null && 'stdout' in error && 'exitCode' in error)
        return error;
      throw error;
    });
  return { output: String(stdout), exitCode };
}

async function fileSystemErrors(): Promise<number> {
  const disks = join(server.runDir, 'disks');
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(disks));
  const devices = mounts.map((line) => / ext4 \/dev\/(\S+)/.exec(line)?.[1] ?? '');
  expect(devices).toHaveLength((await readdir(disks)).length);
  const counts = await Promise.all(
    devices.map((name) => readFile(`/sys/fs/ext4/${name}/errors_count`, 'utf8')),
  );
  return counts.reduce((sum, text) => sum + Number(text), 0);
}

async function freeBytes(): Promise<number> {
  const { bavail, bsize } = await statfs(join(server.dataDir, 'pool'));
  return bavail * bsize;
}

/** The machine is another one when this resolves: its disk was written out, and mounted again. */
async function restart(sprite: Sprite): Promise<void> {
  const incarnation = async () => (await client.getSprite(sprite.name)).info?.incarnation ?? 0;
  const before = await incarnation();
  await sprite.restart();
  await expect.poll(incarnation, { timeout: 20_000 }).toBeGreaterThan(before);
  expect(await sh(sprite, 'true')).toMatchObject({ exitCode: 0 });
}

async function expectAllThere(sprite: Sprite, acknowledged: readonly number[]): Promise<void> {
  const written = (await sprite.execFile('cat', ['diary'])).stdout.trim().split('\n').map(Number);
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(new Set(written)).toEqual(new Set([...written, ...acknowledged]));
}

async function createSprites<const Names extends readonly string[]>(
  ...names: Names
): Promise<{ readonly [K in keyof Names]: Sprite }> {
  const sprites = await Promise.all(names.map((name) => client.createSprite(name)));
  // one for each name, by the line above
  return sprites as { readonly [K in keyof Names]: Sprite };
}

async function writeMib(sprite: Sprite, file: string, mib: number): Promise<void> {
  expect(await sh(sprite, `dd if=/dev/zero of=${file} bs=1M count=${mib} conv=fsync`)).toMatchObject({
    exitCode: 0,
  });
}

describe('a full disk pool', () => {
  it('is a clean ENOSPC to the sprite that fills it, and harms nobody', async () => {
    await start();
    const [hog, neighbour] = await createSprites('hog', 'neighbour');
    const kept = keepDiary(neighbour);
    await expect.poll(() => kept.count()).toBeGreaterThan(5);
    const filled = await sh(hog, 'dd if=/dev/zero of=big bs=1M count=2500 conv=fsync');
    expect(filled).toMatchObject({ exitCode: 1, output: expect.stringMatching(/No space left on device/) });
    await sh(
      hog,
      'dd if=/dev/zero of=more bs=4k count=100000; for i in $(seq 100); do echo x >small$i; done',
    );
    expect(await fileSystemErrors()).toBe(0);
    await expect(client.createSprite('late')).rejects.toMatchObject({ statusCode: 507 });
    await expect(hog.checkpoint()).rejects.toThrow(/in reserve/);
    const before = kept.count();
    await expect.poll(() => kept.count()).toBeGreaterThan(before + 5);
    await restart(hog);
    expect((await sh(hog, 'ls')).output).toContain('big');
    await sh(hog, 'rm -f big more && sync');
    await expect.poll(freeBytes, { timeout: 20_000 }).toBeGreaterThan(gib);
    await writeMib(hog, 'big', 500);
    const acknowledged = await kept.close();
    await restart(neighbour);
    await expectAllThere(neighbour, acknowledged);
    await client.createSprite('late');
    expect(await fileSystemErrors()).toBe(0);
  }, 120_000);

  it.each([
    ['that a checkpoint shares', 800, 'checkpoint'],
    ['that were only reserved', 1680, 'fallocate'],
  ] as const)(
    'makes writes to blocks %s wait, and loses none, also when the server dies',
    async (_, mib, how) => {
      await start();
      const [hog, neighbour, ballast] = await createSprites('hog', 'neighbour', 'ballast');
      await writeMib(ballast, 'big', 250);
      if (how === 'fallocate') await sh(hog, `fallocate -l ${mib}M big`);
      else {
        await writeMib(hog, 'big', mib);
        await hog.checkpoint();
      }
      const kept = keepDiary(neighbour);
      await expect.poll(() => kept.count()).toBeGreaterThan(5);
      const overwrite = `dd if=/dev/zero of=big bs=1M count=${mib} conv=notrunc,fsync; echo $? >end`;
      hog.spawn('sh', ['-c', overwrite], { stdin: false, detachable: true }).on('error', () => undefined);
      await expect.poll(() => server.log, { timeout: 30_000 }).toMatch(/writes of this sprite wait/);
      const acknowledged = await kept.close();
      await server.kill9();
      await server.restart();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(await sh(hog, 'test ! -e end')).toMatchObject({ exitCode: 0 });
      expect(await fileSystemErrors()).toBe(0);
      await client.deleteSprite('ballast');
      await expect.poll(async () => (await sh(hog, 'cat end')).output, { timeout: 30_000 }).toBe('0\n');
      await Promise.all([restart(hog), restart(neighbour)]);
      await expectAllThere(neighbour, acknowledged);
      expect(await fileSystemErrors()).toBe(0);
    },
    120_000,
  );

  it('is noticed as well when the file system around the pool is what fills up', async () => {
    const parentDir = await mkdtemp('/var/tmp/sprites-small-');
    await using _ = { [Symbol.asyncDispose]: () => rm(parentDir, { recursive: true, force: true }) };
    const image = join(parentDir, 'image');
    const around = join(parentDir, 'around');
    await run('truncate', ['-s', '3G', image]);
    await run('mkfs.ext4', ['-q', '-m', '0', image]);
    await mkdir(around);
    await run('mount', ['-o', 'loop', image, around]);
    try {
      await start({ parentDir: around, settings: { ...settings, SPRITES_POOL_GB: '4' } });
      const [hog, neighbour] = await createSprites('hog', 'neighbour');
      const kept = keepDiary(neighbour);
      await expect.poll(() => kept.count()).toBeGreaterThan(5);
      const filled = await sh(hog, 'dd if=/dev/zero of=big bs=1M count=3500 conv=fsync');
      expect(filled).toMatchObject({ exitCode: 1, output: expect.stringMatching(/No space left on device/) });
      const acknowledged = await kept.close();
      expect(await fileSystemErrors()).toBe(0);
      await Promise.all([restart(hog), restart(neighbour)]);
      await expectAllThere(neighbour, acknowledged);
      expect(await fileSystemErrors()).toBe(0);
    } finally {
      await server.close();
      await run('umount', [around]);
    }
  }, 120_000);
});

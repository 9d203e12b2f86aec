import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { runServerCommand, startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder, runProgram } from '../program.ts';
import { sh } from './tree.ts';

const buildTimeoutMs = 20 * 60_000;
const suite = 'bookworm';

let folder: string;
let server: TestServer;
let client: SpritesClient;

/** The tar of a Debian with PostgreSQL from apt, kept between runs. */
async function preparePostgres(): Promise<string> {
  const kept = path.join(cacheFolder, `postgres-${suite}.tar`);
  const isThere = await access(kept).then(
    () => true,
    () => false,
  );
  if (isThere) return kept;
  await mkdir(cacheFolder, { recursive: true });
  const scratch = await mkdtemp(path.join(cacheFolder, 'postgres-'));
  try {
    const tar = path.join(scratch, 'rootfs.tar');
    const packages = '--include=postgresql,ca-certificates';
    // with the sources of this host
    await runProgram('sh', [
      '-c',
      'cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | mmdebstrap "$@" -',
      'sh',
      ...['--variant=minbase', '--mode=root', '--dpkgopt=force-unsafe-io', packages, suite, tar],
    ]);
    await rename(tar, kept);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return kept;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postgres-'));
  const images = path.join(folder, 'images');
  const tar = await preparePostgres();
  server = await startTestServer({
    imagesDir: images,
    image: 'postgres',
    settings: { SPRITES_READY_MACHINES: '0' },
  });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  const env = {
    PATH: process.env.PATH ?? '',
    SPRITES_DATA_DIR: server.dataDir,
    SPRITES_IMAGES_DIR: images,
  };
  await runServerCommand(['image', 'import', tar, '--name', 'postgres'], env);
}, buildTimeoutMs);
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

const data = '/home/sprite/data';
const programs = 'PATH=$(echo /usr/lib/postgresql/*/bin):$PATH';
const open = 'psql -h /home/sprite -d postgres -qAt -v ON_ERROR_STOP=1';

/** Starts the database and waits until it has recovered; prints what it says of itself. */
async function start(sprite: Sprite): Promise<void> {
  await sh(
    sprite,
    `${programs}; pg_ctl -D ${data} -w -t 60 -l /home/sprite/log -o "-k /home/sprite -c listen_addresses=''" start > /dev/null 2>&1`,
  );
}

/** Prints the number of each transaction once it is committed; each also changes a sum. */
const writer = `i=$(${open} -c 'select coalesce(max(n), 0) from entries')
while :; do
  i=$((i + 1))
  printf '%s\\n' "begin; insert into entries select $i, repeat(md5(random()::text), 60); update total set n = n + 1; commit;" "\\\\echo $i"
done | stdbuf -oL ${open}`;

/** The largest number there is, after a look at every page, index and sum. */
async function check(sprite: Sprite): Promise<number> {
  await sh(sprite, `rm -f ${data}/postmaster.pid`);
  await start(sprite);
  const said = await sh(
    sprite,
    `${open} -c 'create extension if not exists amcheck' -c "select bt_index_check('entries_pkey', true)" -c 'select (select n from total) = count(*), count(*) = max(n), max(n) from entries'`,
  );
  const [sum, gapless, newest] = said.trim().split('\n').at(-1)?.split('|') ?? [];
  expect([sum, gapless]).toEqual(['t', 't']);
  expect(await sh(sprite, 'grep -ciE "panic|corrupt|invalid page" log || true')).toBe('0\n');
  return Number(newest);
}

describe('a database under write load (PostgreSQL from apt)', () => {
  it('opens clean from every checkpoint, with every transaction committed before it', async () => {
    const sprite = await client.createSprite('postgres');
    await sh(sprite, `${programs}; initdb -D ${data} --data-checksums > /dev/null`);
    await start(sprite);
    await sh(
      sprite,
      `${open} -c 'create table entries (n bigint primary key, filling text); create table total (n bigint); insert into total values (0)'`,
    );
    const writing = sprite.spawn('sh', ['-c', writer], { stdin: false });
    writing.on('error', () => undefined);
    let said = '';
    writing.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const committed = (): number => Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
    await expect.poll(committed, { timeout: 60_000 }).toBeGreaterThan(100);
    const saved: { readonly id: string; readonly before: number }[] = [];
    for (let i = 0; i < 3; i++) {
      const before = committed();
      saved.push({ id: (await sprite.checkpoint()).id, before });
      await expect.poll(committed, { timeout: 60_000 }).toBeGreaterThan(before + 50);
    }
    const last = committed();
    await sprite.restore('v1');
    await writing.wait().catch(() => undefined);
    const all = await sprite.listCheckpoints({ includeAuto: true });
    saved.push({ id: all.find(({ isAuto }) => isAuto)?.id ?? '', before: last });
    for (const { id, before } of saved) {
      await sprite.restore(id);
      expect(await check(sprite), id).toBeGreaterThanOrEqual(before);
    }
  }, 180_000);
});

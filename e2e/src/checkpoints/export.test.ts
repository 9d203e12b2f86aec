import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { uniqueName } from '../server.ts';
import { failure } from './failure.ts';
import { sh } from './tree.ts';
import { hashWhole, listWhole } from './whole-tree.ts';

let from: TestServer;
let to: TestServer;
let here: SpritesClient;
let there: SpritesClient;

beforeAll(async () => {
  [from, to] = await Promise.all([startTestServer(), startTestServer()]);
  here = new SpritesClient(from.token, { baseURL: from.baseUrl });
  there = new SpritesClient(to.token, { baseURL: to.baseUrl });
});

// Closing throws when anything is left in the kernel.
afterAll(async () => {
  await Promise.all([from?.close(), to?.close()]);
}, 120_000);

async function bytesOf(sprite: Sprite): Promise<Buffer> {
  return Buffer.from(await new Response(await sprite.export()).arrayBuffer());
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Every file in the pool of a server. */
async function poolOf(server: TestServer): Promise<readonly string[]> {
  const pool = path.join(server.dataDir, 'pool');
  const names = await readdir(pool, { recursive: true });
  return names.filter((name) => /unfinished|^(disks|checkpoints).*\.ext4$/.test(name)).sort();
}

/** The network policy of a sprite, after it was set if one is given. */
async function networkPolicy(server: TestServer, name: string, policy?: object): Promise<unknown> {
  const url = `${server.baseUrl}/v1/sprites/${name}/policy/network`;
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  if (policy !== undefined) await fetch(url, { method: 'POST', headers, body: JSON.stringify(policy) });
  return (await fetch(url, { headers })).json();
}

/** Everything that can be told apart of a tree of files, and the kinds of changes between checkpoints. */
const first = `set -e
  mkdir -p ~/t/deep/er ~/t/empty; cd ~/t
  echo plain > plain; head -c 3000000 /dev/urandom > big; ln plain hard; ln plain deep/harder
  truncate -s 80M sparse; printf x | dd of=sparse bs=1 seek=40000000 conv=notrunc status=none
  head -c 700000 /dev/urandom > changing; truncate -s 5M holes; head -c 4096 /dev/urandom >> holes
  ln -s ../../nowhere dangling; ln -s /etc/passwd absolute; mkfifo fifo
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
  : > 'odd name ü'; : > "$(printf 'bytes \\377\\376 \\n tab\\t')"; : > "$(head -c 255 /dev/zero | tr '\\0' n)"
  python3 -c 'import os; os.setxattr("plain", "user.note", b"\\x00\\xffx"); os.setxattr("t" if 0 else ".", "user.dir", b"d")'
  touch -h -d 1969-12-31T23:59:58.123456789Z dangling; touch -d 2001-02-03T04:05:06.789012345 big
  chmod 4755 big; chmod 1777 empty; chmod 000 changing
  sudo sh -c 'echo root > /srv/rooted; chown 65535:1 /srv/rooted; chmod 2600 /srv/rooted'
  sudo setcap cap_net_raw+ep /usr/bin/head
  sudo mv /usr/share/doc /usr/share/docs; sudo rm /usr/bin/tac
  sudo rm -rf /usr/share/man /etc/skel; sudo mkdir /etc/skel; echo new | sudo tee /etc/skel/only
  p=~/t; for i in $(seq 60); do p=$p/$(printf 'd%050d' $i); mkdir $p; done; echo bottom > $p/file
  sync`;
const second = `set -e
  cd ~/t; chmod 600 changing; dd if=/dev/urandom of=changing bs=1000 count=1 seek=300 conv=notrunc status=none
  rm hard; echo other > hard; ln big deep/er/linked; mv deep deeper; rm -r empty; : > empty
  fallocate -p -o 0 -l 4096 big; truncate -s 30M sparse; ln -sfn elsewhere dangling; touch -h -d @0 absolute
  sudo mv /usr/share/docs /usr/share/doc2; sudo chmod 711 /usr/share; sudo rm /usr/bin/uniq; sync`;
const third = `set -e
  cd ~/t; rm -rf deeper sparse; mkdir sparse; echo in > sparse/in; chown -R sprite:sudo .; sudo chown root plain
  python3 -c 'import os; os.removexattr("plain", "user.note")' 2>/dev/null || sudo python3 -c 'import os; os.removexattr("plain", "user.note")'
  echo appended >> big; sudo rm -rf /etc/skel; sudo setcap -r /usr/bin/head; sync`;

describe('a sprite that was exported', () => {
  let sprite: Sprite;
  let archive: Buffer;
  const hashes = new Map<string, string>();

  beforeAll(async () => {
    sprite = await here.createSprite('mover', {
      labels: ['a', 'ü b'],
      environment: { GREETING: 'hello "you"\n' },
      urlSettings: { auth: 'public' },
      config: { ramMB: 700, cpus: 1 },
      idle: { warmAfterS: 77, coldAfterS: 'never' },
      autoCheckpoints: { everyS: 'off', keepDaily: 3 },
    });
    await networkPolicy(from, 'mover', { rules: [{ domain: '*.example.com', action: 'allow' }] });
    for (const [index, script] of [first, second, third].entries()) {
      await sh(sprite, script);
      await sprite.checkpoint(`step ${index}`);
      hashes.set(`v${index + 1}`, await hashWhole(sprite));
    }
    // live, and not based on the newest
    await sprite.restore('v2');
    await sh(sprite, 'cd ~/t; rm -r deeper/er; echo live > live; sudo touch /srv/live; sync');
    hashes.set('Current', await hashWhole(sprite));
    archive = await bytesOf(sprite);
  }, 120_000);

  it('is the same on another server, byte for byte, with every checkpoint', async () => {
    const moved = await there.importSprite(inOnePiece(archive));
    expect(moved.name).toBe('mover');
    expect(moved.info).toMatchObject({
      status: 'cold',
      labels: ['a', 'ü b'],
      environment: { GREETING: 'hello "you"\n' },
      urlSettings: { auth: 'public' },
      config: { ramMB: 700, cpus: 1 },
      idle: { warmAfterS: 77, coldAfterS: 'never' },
      autoCheckpoints: { everyS: 'off', keepDaily: 3 },
    });
    expect(await networkPolicy(from, 'mover')).toMatchObject({ rules: [{ domain: '*.example.com' }] });
    expect(await networkPolicy(to, 'mover')).toEqual(await networkPolicy(from, 'mover'));
    expect(moved.id).not.toBe(sprite.id);
    const [a, b] = await Promise.all([sprite, moved].map((one) => sh(one, 'cat /etc/machine-id')));
    expect(b).not.toBe(a);
    await expectSame(moved, 'Current');
    const facts = (list: Awaited<ReturnType<Sprite['listCheckpoints']>>) =>
      list.map(({ id, comment, sourceId, history, isAuto, health, createTime }) => [
        id,
        comment,
        sourceId,
        history,
        isAuto,
        health,
        id === 'Current' ? undefined : createTime,
      ]);
    const [ours, theirs] = await Promise.all(
      [sprite, moved].map(async (one) => facts(await one.listCheckpoints({ includeAuto: true }))),
    );
    expect(theirs).toEqual(ours);
    for (const id of ['v1', 'v2', 'v3']) {
      await moved.restore(id);
      await expectSame(moved, id);
    }
    expect((await moved.checkpoint()).id).toBe('v4');
  }, 120_000);

  /** Says which files differ. */
  async function expectSame(moved: Sprite, id: string): Promise<void> {
    if ((await hashWhole(moved)) === hashes.get(id)) return;
    const before = await here.createSprite(uniqueName('as'), {
      from: { sprite: 'mover', ...(id === 'Current' ? {} : { checkpoint: id }) },
    });
    const old = new Set(await listWhole(before));
    const now = await listWhole(moved);
    const different = [
      ...now.filter((line) => !old.has(line)),
      ...[...old].filter((line) => !now.includes(line)),
    ];
    await before.delete();
    expect(different.slice(0, 20), id).toEqual([]);
  }

  it('takes on the other server about the space it took here, as checkpoints share what they have in common', async () => {
    const used = async (server: TestServer): Promise<number> => {
      const { stdout } = await promisify(execFile)('df', [
        '--output=used',
        '-B1',
        path.join(server.dataDir, 'pool'),
      ]);
      return Number(stdout.trim().split('\n')[1]);
    };
    const before = await used(to);
    const copy = await there.importSprite(inOnePiece(archive), { name: 'second' });
    const grown = (await used(to)) - before;
    expect(grown).toBeLessThan(40_000_000);
    await copy.delete();
  });

  it('goes on meanwhile, and a cold one is not woken', async () => {
    const started = await here.getSprite('mover');
    expect(started.status).toBe('running');
    const ticking = sprite.spawn('sh', ['-c', 'while sleep 0.02; do date +%s%N >> /tmp/ticks; done'], {
      stdin: false,
    });
    await bytesOf(sprite);
    ticking.kill('SIGKILL');
    await ticking.wait().catch(() => undefined);
    expect((await here.getSprite('mover')).info).toMatchObject({
      status: 'running',
      incarnation: started.info?.incarnation,
    });
    const cold = await there.importSprite(inOnePiece(archive), { name: 'cold' });
    const again = await bytesOf(cold);
    expect((await there.getSprite('cold')).info).toMatchObject({ status: 'cold', incarnation: 0 });
    const back = await here.importSprite(inOnePiece(again), { name: 'back' });
    await expectSame(back, 'Current');
    await Promise.all([cold.delete(), back.delete()]);
  }, 120_000);

  it('is refused when it is cut, foreign or changed, and nothing is left', async () => {
    for (const each of await there.listAllSprites()) await each.delete();
    await expect.poll(() => poolOf(to)).toEqual([]);
    const plain = zstdDecompressSync(archive);
    const flipped = Buffer.from(plain);
    flipped.writeUInt8(flipped.readUInt8(plain.length >> 1) ^ 1, plain.length >> 1);
    const noise = createHash('sha512').update('noise').digest();
    const attempts: readonly (readonly [string, Buffer])[] = [
      ['nothing', Buffer.alloc(0)],
      ['a word', Buffer.from('hello')],
      ['noise', Buffer.concat(Array(500).fill(noise))],
      ['a foreign zstd file', zstdCompressSync(Buffer.alloc(100_000, 'x'))],
      ['half', archive.subarray(0, archive.length >> 1)],
      ['all but the last byte', archive.subarray(0, archive.length - 1)],
      ['more behind it', Buffer.concat([archive, Buffer.from('more')])],
      ['twice', Buffer.concat([archive, archive])],
      ['a changed bit, compressed again', zstdCompressSync(flipped)],
      ['no end', zstdCompressSync(plain.subarray(0, plain.length - 1024))],
    ];
    for (const [what, bytes] of attempts) {
      const error = await failure(there.importSprite(inOnePiece(bytes), { name: 'refused' }));
      expect(error, what).toMatchObject({ statusCode: 400, errorCode: 'invalid_request' });
      expect(error.message, what).toContain('this is not a whole export of a sprite: ');
      expect(await poolOf(to), what).toEqual([]);
      expect(await to.leaks().then((all) => all.filter((line) => line.includes('.ext4'))), what).toEqual([]);
    }
    expect(await there.listAllSprites()).toEqual([]);
  }, 120_000);

  it('is refused by name, image and token before its files are read', async () => {
    await here.createSprite('taken');
    expect(await failure(here.importSprite(inOnePiece(archive), { name: 'taken' }))).toMatchObject({
      errorCode: 'sprite_already_exists',
    });
    expect(await failure(here.importSprite(inOnePiece(archive), { name: 'Not A Name' }))).toMatchObject({
      errorCode: 'invalid_request',
    });
    const foreign = replaceInManifest(archive, /sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`);
    const error = await failure(there.importSprite(inOnePiece(foreign), { name: 'other' }));
    expect(error).toMatchObject({ statusCode: 400, errorCode: 'unknown_image' });
    expect(error.message).toMatch(/minimal sha256:0{64}.*not installed.*name another image/);
    const newer = replaceInManifest(archive, /"version":1/, '"version":2');
    expect((await failure(there.importSprite(inOnePiece(newer)))).message).toContain('version');
    const stranger = new SpritesClient('personal/org_x/tok_x/wrong', { baseURL: to.baseUrl });
    expect(await failure(stranger.importSprite(inOnePiece(archive)))).toMatchObject({ statusCode: 401 });
    const bomb = replaceInManifest(archive, /"most_bytes":\d+/, '"most_bytes":99999999999999');
    expect(await failure(there.importSprite(inOnePiece(bomb), { name: 'bomb' }))).toMatchObject({
      statusCode: 507,
    });
    expect(await poolOf(to)).toEqual([]);
  });

  it('leaves nothing when its connection is cut in the middle', async () => {
    const cut = new AbortController();
    async function* halfOfIt(): AsyncGenerator<Uint8Array> {
      yield archive.subarray(0, archive.length >> 1);
      await expect.poll(async () => (await poolOf(to)).length).toBeGreaterThan(0);
      cut.abort();
      await new Promise(() => undefined);
    }
    const outcome = await there
      .importSprite(halfOfIt(), { name: 'cut', signal: cut.signal })
      .catch((error: unknown) => error);
    expect(outcome).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => poolOf(to)).toEqual([]);
    expect(await there.listAllSprites()).toEqual([]);
  });

  it('leaves nothing when the server is killed in the middle, after its next start', async () => {
    const killed = Promise.withResolvers<void>();
    async function* halfOfIt(): AsyncGenerator<Uint8Array> {
      yield archive.subarray(0, archive.length >> 1);
      await expect.poll(async () => (await poolOf(to)).length).toBeGreaterThan(0);
      killed.resolve(to.kill9());
      await killed.promise;
    }
    await expect(there.importSprite(halfOfIt(), { name: 'killed' })).rejects.toThrow();
    await killed.promise;
    await to.restart();
    expect(await poolOf(to)).toEqual([]);
    expect(await there.listAllSprites()).toEqual([]);
    const exporting = bytesOf(sprite).catch(() => undefined);
    await from.kill9();
    expect(await exporting).toBeUndefined();
    await from.restart();
    expect((await poolOf(from)).filter((name) => name.includes('unfinished'))).toEqual([]);
  }, 60_000);

  it('tells of damage what could be read, and keeps that', async () => {
    const hurt = await here.createSprite('hurt');
    await sh(hurt, 'echo one > one; sync');
    await hurt.checkpoint();
    await sh(hurt, 'echo two > two; sync');
    await hurt.checkpoint();
    const pool = path.join(from.dataDir, 'pool');
    await truncate(path.join(pool, 'checkpoints', hurt.id ?? '', 'v1.ext4'), 4096);
    const moved = await there.importSprite(inOnePiece(await bytesOf(hurt)));
    expect((await moved.listCheckpoints()).map(({ id }) => id)).toEqual(['Current', 'v2']);
    expect(await sh(moved, 'cat one two')).toBe('one\ntwo\n');
    await here.deleteSprite('hurt');
    await moved.delete();
  });
});

/** The same archive with another first member. */
function replaceInManifest(archive: Buffer, what: RegExp, by: string): Buffer {
  const plain = zstdDecompressSync(archive);
  const size = Number.parseInt(plain.toString('latin1', 124, 135), 8);
  const text = plain.toString('utf8', 512, 512 + size).replace(what, by);
  const content = Buffer.from(text);
  const header = Buffer.from(plain.subarray(0, 512));
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  const rest = plain.subarray(512 + Math.ceil(size / 512) * 512);
  return zstdCompressSync(Buffer.concat([header, content, padding, rest]));
}

describe('export and import on the command line', () => {
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor({ baseURL: from.baseUrl, token: from.token });
    const sprite = await here.createSprite('typed');
    await sh(sprite, 'echo kept > file; sync');
    await sprite.checkpoint('first');
  });
  afterAll(async () => {
    await cli?.close();
  });

  it('write a file once, and make a sprite of it', async () => {
    const written = await cli.run(['export', '-s', 'typed']);
    expect(written).toMatchObject({ code: 0, text: '' });
    expect(written.stderr).toMatch(/✓ exported typed \([\d.]+ .?B, [\d.]+ .?B\/s, checked\)\n$/);
    const file = path.join(cli.home, 'typed.tar.zst');
    const before = await readFile(file);
    const refused = await cli.run(['export', '-s', 'typed', 'typed.tar.zst']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('--force');
    expect(await readFile(file)).toEqual(before);
    expect(await cli.run(['export', '-s', 'typed', '--force', 'typed.tar.zst'])).toMatchObject({ code: 0 });
    const made = await cli.run(['import', 'typed.tar.zst', 'typed-2']);
    expect(made).toMatchObject({ code: 0 });
    expect(made.text).toMatch(/^http.*typed-2/);
    expect(await sh(here.sprite('typed-2'), 'cat file')).toBe('kept\n');
    expect((await readdir(cli.home)).filter((name) => name.includes('.part'))).toEqual([]);
  });

  it('pass an export through a pipe', async () => {
    await cli.shell('"$0" "$1" export -s typed - | "$0" "$1" import --json - typed-3');
    expect(await sh(here.sprite('typed-3'), 'cat file')).toBe('kept\n');
  });

  it('say what is wrong, and leave no file', async () => {
    expect((await cli.run(['export', '-s', 'nobody', 'x.tar.zst'])).stderr).toContain('not found');
    await expect(stat(path.join(cli.home, 'x.tar.zst'))).rejects.toThrow('ENOENT');
    await writeFile(path.join(cli.home, 'foreign'), 'no export');
    const foreign = await cli.run(['import', 'foreign', 'never']);
    expect(foreign).toMatchObject({ code: 1, text: '' });
    expect(foreign.stderr).toContain('not a whole export');
    expect((await cli.run(['import', 'nowhere'])).stderr).toContain('cannot read nowhere');
    expect((await cli.run(['import', 'typed.tar.zst', 'typed'])).stderr).toContain('already exists');
    await unlink(path.join(cli.home, 'foreign'));
  });
});

import { mkdtemp, open, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountPool } from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { openReflinkDisks } from '../reflink/index.ts';

const mib = 1024 ** 2;
const signal = new AbortController().signal;

async function fixture() {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-checksums-'));
  const pool = join(dataDir, 'pool');
  const disks = await openReflinkDisks({ dataDir, signal, poolSizeBytes: 2048 * mib });
  await disks.create('one', 1024 * mib);
  const file = (id: string): string => join(pool, 'checkpoints/one', id);
  return {
    disks,
    checksums: disks.checksums,
    file,
    list: async () => (await readdir(join(pool, 'checkpoints'), { recursive: true })).sort(),
    async [Symbol.asyncDispose]() {
      await disks.close();
      await unmountPool(pool);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

type Fixture = Awaited<ReturnType<typeof fixture>>;

async function write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.sync();
}

/** Writes 40 MiB that nobody shares to the disk, and saves it. */
async function save({ disks }: Fixture, id: string, value: number): Promise<void> {
  for (let at = 0; at < 40; at++)
    await write(disks.file('one'), (300 + at) * mib, Buffer.alloc(mib, value + at));
  await disks.saveCheckpoint('one', id);
}

describe('ReflinkChecksums', () => {
  it('finds nothing wrong with a checkpoint whose disk went on changing', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const { root, sizeBytes, readBytes } = await f.checksums.make('one', 'v1', []);
    expect(sizeBytes).toBeGreaterThanOrEqual(40 * mib);
    expect(readBytes).toBeGreaterThanOrEqual(40 * mib);
    await save(f, 'v2', 100);
    expect(await f.checksums.verify('one', { id: 'v1', root }, 'a')).toMatchObject({ health: '', sizeBytes });
  });

  it('reads what checkpoints share only once', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const one = await f.checksums.make('one', 'v1', []);
    await write(f.disks.file('one'), 320 * mib, Buffer.alloc(4096, 200));
    await f.disks.saveCheckpoint('one', 'v2');
    const like = [{ id: 'v1', root: one.root }];
    const two = await f.checksums.make('one', 'v2', like);
    expect(two.readBytes).toBe(mib);
    expect(two.root).not.toBe(one.root);
    expect((await f.checksums.make('one', 'v2', [])).root).toBe(two.root);
    // checksums that are not whole are no help
    await write(f.file('v1.sums'), 40, Buffer.from([1, 2, 3]));
    expect((await f.checksums.make('one', 'v2', like)).readBytes).toBeGreaterThan(40 * mib);
    expect((await f.checksums.verify('one', { id: 'v2', root: two.root }, 'a')).readBytes).toBeGreaterThan(
      40 * mib,
    );
    const shared = await f.checksums.verify('one', { id: 'v1', root: one.root }, 'b');
    expect(shared).toMatchObject({ health: '' });
    expect(await f.checksums.verify('one', { id: 'v2', root: two.root }, 'b')).toMatchObject({
      health: '',
      readBytes: two.readBytes + shared.readBytes - mib,
    });
  });

  it.each([
    [
      'one byte is flipped',
      (file: string) => write(file, 310 * mib + 77, Buffer.from([0xff])),
      /^1 of \d+ MiB .* at byte 325058560$/,
    ],
    [
      'a hole is written to',
      (file: string) => write(file, 900 * mib, Buffer.from([1])),
      /at byte 943718400$/,
    ],
    ['a block became zeros', (file: string) => write(file, 311 * mib, Buffer.alloc(4096)), /^1 of/],
    ['it is cut off', (file: string) => truncate(file, 320 * mib), /^its file has 335544320 bytes/],
    ['it is empty', (file: string) => truncate(file, 0), /^its file has 0 bytes/],
    ['it is gone', (file: string) => unlink(file), /^its disk is missing$/],
  ])('finds that %s', async (_, damage, health) => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const { root } = await f.checksums.make('one', 'v1', []);
    await damage(f.file('v1.ext4'));
    expect((await f.checksums.verify('one', { id: 'v1', root }, 'a')).health).toMatch(health);
  });

  it('mends checksums that are damaged or gone when the checkpoint is good', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const { root } = await f.checksums.make('one', 'v1', []);
    const before = await readFile(f.file('v1.sums'));
    for (const damage of [() => unlink(f.file('v1.sums')), () => writeFile(f.file('v1.sums'), 'no')]) {
      await damage();
      expect(await f.checksums.verify('one', { id: 'v1', root }, 'a')).toMatchObject({ health: '' });
      expect(await readFile(f.file('v1.sums'))).toEqual(before);
    }
    await unlink(f.file('v1.sums'));
    await write(f.file('v1.ext4'), 310 * mib, Buffer.from([0xff]));
    const { health } = await f.checksums.verify('one', { id: 'v1', root }, 'a');
    expect(health).toBe('it does not match its checksum');
  });

  it('leaves nothing of a checkpoint that is removed, also in the middle', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const making = f.checksums.make('one', 'v1', []).catch((error: unknown) => error);
    await f.disks.removeCheckpoint('one', 'v1');
    await making;
    expect(await f.list()).toEqual(['one']);
    await save(f, 'v2', 1);
    await f.checksums.make('one', 'v2', []);
    expect(await f.list()).toEqual(['one', 'one/v2.ext4', 'one/v2.sums']);
    await f.disks.removeCheckpoint('one', 'v2');
    expect(await f.list()).toEqual(['one']);
    await expect(f.checksums.make('one', 'v2', [])).rejects.toMatchObject({ code: 'checkpoint_not_found' });
  });

  it('pauses while somebody waits', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const { root, readBytes } = await f.checksums.make('one', 'v1', []);
    let asked = 0;
    f.checksums.giveWay(() => ++asked < 100);
    expect(await f.checksums.verify('one', { id: 'v1', root }, 'a')).toMatchObject({ health: '', readBytes });
    // it is asked every 10 ms: reading alone is over long before
    expect(asked).toBeGreaterThanOrEqual(100);
  });

  it('ends what is under way when it is closed', async () => {
    await using f = await fixture();
    await save(f, 'v1', 1);
    const making = f.checksums.make('one', 'v1', []);
    const outcome = expect(making).rejects.toThrow(/ended/);
    await f.checksums.close();
    await outcome;
  });
});

import { createHash } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { ExportEnd, endName, memberLimit, TarReader } from '@sprites/contract/export';
import type { OutgoingTrees } from '@sprites/core';
import { makeNode, readXattrs, writeXattr } from '@sprites/linux';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diskBytes, type Fixture, fixture, manifest } from './fixture.ts';

const mib = 1024 ** 2;
const quiet = (clone: () => Promise<void>): Promise<void> => clone();

/** Packs the disk and checkpoints of a sprite; `takenAtMs` is when the checkpoints are said to have been made. */
async function exportOf(
  { archives }: Fixture,
  id: string,
  checkpoints: readonly string[],
  takenAtMs = Date.now(),
): Promise<Buffer> {
  const sources = checkpoints.map((one) => ({ treeId: one, checkpointId: one, takenAtMs }));
  const live = { treeId: 'Current', checkpointId: undefined, takenAtMs };
  await using trees = await archives.copy(id, [...sources, live], quiet);
  const { readable, problems } = await trees.measure();
  const listed = readable.map(({ treeId, mostBytes, mostEntries }, index) => {
    const base = readable[index - 1]?.treeId;
    return {
      id: treeId,
      ...(base === undefined ? {} : { base }),
      most_bytes: mostBytes,
      most_entries: mostEntries,
    };
  });
  const saved = readable.flatMap(({ treeId }) =>
    treeId === 'Current' ? [] : [{ id: treeId, create_time: '2026-01-01T00:00:00Z', is_auto: false }],
  );
  const parts: Uint8Array[] = [];
  for await (const part of trees.pack({
    ...manifest,
    trees: listed,
    checkpoints: saved,
    problems: [...problems],
  }))
    parts.push(part);
  return Buffer.concat(parts);
}

/** Everything that can be told apart of what is below a directory. */
async function factsOf(top: string): Promise<readonly string[]> {
  const facts: string[] = [];
  const names = new Map<bigint, string>();
  const walk = async (name: string): Promise<void> => {
    const path = join(top, name);
    const stats = await lstat(path, { bigint: true });
    const twin = names.get(stats.ino) ?? '';
    facts.push(
      [name, stats.mode.toString(8), stats.uid, stats.gid, stats.mtimeNs, twin, await contentOf(path)].join(
        ' ',
      ),
    );
    if (!stats.isDirectory()) names.set(stats.ino, name);
    else for (const child of (await readdir(path)).sort()) await walk(join(name, child));
  };
  await walk('.');
  return facts;
}

async function contentOf(path: string): Promise<string> {
  const stats = await lstat(path);
  const xattrs = (await readXattrs(Buffer.from(path))).map(
    ({ name, value }) => `${name}=${value.toString('hex')}`,
  );
  const target = stats.isSymbolicLink() ? await readlink(path) : '';
  const hash = stats.isFile()
    ? createHash('sha1')
        .update(await readFile(path))
        .digest('hex')
    : '';
  return [stats.isDirectory() ? '' : stats.size, target, hash, ...xattrs].join(' ');
}

async function factsOfDisk(f: Fixture, id: string): Promise<readonly string[]> {
  let facts: readonly string[] = [];
  await f.inside(id, async (top) => {
    facts = await factsOf(top);
  });
  return facts;
}

type Act = { readonly kind: number; readonly a: number; readonly b: number; readonly size: number };

const writing = new Set([1, 2, 3, 4, 15]);
const names = ['a', 'b', 'c', 'd', 'a/x', 'a/y', 'b/x', 'b/y', 'a/x/deep', 'c/ü'];

/** Does something to one of a few names; what cannot be done is not. */
async function act(top: string, { kind, a, b, size }: Act): Promise<void> {
  const from = join(top, names[a % names.length] ?? 'a');
  const to = join(top, names[b % names.length] ?? 'b');
  const bytes = createHash('sha512').update(`${kind} ${size}`).digest();
  const acts: readonly (() => Promise<unknown>)[] = [
    () => mkdir(from),
    () => writeFile(from, bytes.subarray(0, size % 64)),
    () => writeFile(from, Buffer.alloc(size * 40, bytes)),
    async () => {
      await using file = await open(from, 'r+');
      await file.write(bytes, 0, undefined, size * 60);
    },
    () => truncate(from, size * 50),
    () => unlink(from),
    () => rm(from, { recursive: true }),
    () => rename(from, to),
    () => link(from, to),
    () => symlink(`../${b}`, from),
    () => chmod(from, 0o600 + (size % 64)),
    () => utimes(from, size, size),
    () => makeNode(Buffer.from(from), (['fifo', 'socket', 'whiteout'] as const)[size % 3] ?? 'fifo'),
    () => writeXattr(Buffer.from(from), { name: `user.${b % 3}`, value: bytes }),
    () => writeXattr(Buffer.from(from), { name: 'trusted.overlay.opaque', value: Buffer.from('y') }),
    async () => {
      await using file = await open(from, 'r+');
      const { size: length } = await file.stat();
      await file.truncate(0);
      await file.truncate(length);
    },
  ];
  const found = await lstat(from).catch(() => undefined);
  // to write to a FIFO waits for ever
  if (found?.isFIFO() === true && writing.has(kind)) return;
  await acts[kind % acts.length]?.().catch(() => undefined);
}

const anyAct = fc.record({ kind: fc.nat(15), a: fc.nat(9), b: fc.nat(9), size: fc.nat(60_000) });

describe('an export', () => {
  it.each([
    ['by content', 0],
    ['by inode and time of change', 3_600_000],
  ])(
    'has every tree as it was, whatever happened between them (%s)',
    async (_, laterMs) => {
      await using f = await fixture();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(anyAct, { maxLength: 25 }), { minLength: 2, maxLength: 4 }),
          async (phases) => {
            const id = `one-${run++}`;
            await f.disks.create(id, diskBytes);
            const trees: (readonly string[])[] = [];
            for (const [index, acts] of phases.entries()) {
              await f.inside(id, async (top) => {
                for (const one of acts) await act(top, one);
                trees.push(await factsOf(top));
              });
              await f.disks.saveCheckpoint(id, `v${index + 1}`);
              // the clock of older kernels moves in steps of some milliseconds
              await sleep(12);
            }
            const ids = phases.map((_phase, index) => `v${index + 1}`);
            await f.unpack(await exportOf(f, id, ids, Date.now() + laterMs), `${id}-copy`);
            expect(await factsOfDisk(f, `${id}-copy`)).toEqual(trees.at(-1));
            for (const [index, tree] of trees.entries()) {
              await f.disks.restoreCheckpoint(`${id}-copy`, `v${index + 1}`);
              expect(await factsOfDisk(f, `${id}-copy`), `v${index + 1}`).toEqual(tree);
            }
            await f.disks.remove(id);
            await f.disks.remove(`${id}-copy`);
          },
        ),
        { numRuns: 8, endOnFailure: true },
      );
      expect(await f.left()).toEqual([]);
    },
    120_000,
  );

  it('holds of a large file only what changed', async () => {
    await using f = await fixture();
    await f.disks.create('one', diskBytes);
    await f.inside('one', async (top) => {
      await writeFile(join(top, 'big'), Buffer.alloc(60 * mib, createHash('sha512').update('x').digest()));
    });
    await f.disks.saveCheckpoint('one', 'v1');
    await f.inside('one', async (top) => {
      await using file = await open(join(top, 'big'), 'r+');
      await file.write('changed', 30 * mib + 12_345);
    });
    const { content_bytes: bytes } = await endOf(await exportOf(f, 'one', ['v1']));
    expect(bytes).toBeGreaterThan(60 * mib);
    expect(bytes).toBeLessThanOrEqual(60 * mib + 65_536);
  });

  it('leaves nothing behind when it is given up at any point', async () => {
    await using f = await fixture();
    await f.disks.create('one', diskBytes);
    await f.inside('one', (top) => writeFile(join(top, 'f'), Buffer.alloc(20 * mib, 'y')));
    const sources = [{ treeId: 'Current', checkpointId: undefined, takenAtMs: 0 }];
    const trees = [{ id: 'Current', most_bytes: 1, most_entries: 1 }];
    const give = [
      (out: OutgoingTrees) => out[Symbol.asyncDispose](),
      async (out: OutgoingTrees) => {
        for await (const _ of out.pack({ ...manifest, trees })) break;
      },
      async (out: OutgoingTrees) => {
        for await (const _ of out.pack({ ...manifest, trees }));
      },
    ];
    for (let round = 0; round < 6; round++) {
      await give[round % 3]?.(await f.archives.copy('one', sources, quiet));
      await expect.poll(f.left).toEqual(['disks/one.ext4']);
    }
    // and none is counted as under way
    const many = await Promise.all([1, 2, 3, 4].map(() => f.archives.copy('one', sources, quiet)));
    await expect(f.archives.copy('one', sources, quiet)).rejects.toMatchObject({ code: 'unavailable' });
    for (const each of many) await each[Symbol.asyncDispose]();
  });

  it('names what a damaged disk does not give, and holds the rest', async () => {
    await using f = await fixture();
    await f.disks.create('one', diskBytes);
    const good = Buffer.alloc(100_000, 'good');
    await f.inside('one', async (top) => {
      for (const name of ['first', 'second', 'third']) {
        await mkdir(join(top, name));
        for (let n = 0; n < 30; n++) await writeFile(join(top, name, `file-${n}`), good);
        await writeFile(join(top, name, `of-the-${name}`), good);
      }
    });
    await damageDirectory(f.disks.file('one'), 'of-the-second');
    const bytes = await exportOf(f, 'one', []);
    const end = await endOf(bytes);
    expect(end.problem_count).toBeGreaterThan(0);
    expect(end.problems[0]).toMatchObject({
      tree: 'Current',
      path: '/second',
      reason: 'it is damaged on the disk',
    });
    await f.unpack(bytes);
    const found = (await factsOfDisk(f, 'copy')).filter((line) => /file-\d+ 100644/.test(line));
    expect(found.length).toBeGreaterThanOrEqual(60);
    expect(found.length).toBeLessThan(90);
    await f.disks.create('gone', diskBytes);
    await truncate(f.disks.file('gone'), 0);
    await expect(exportOf(f, 'gone', [])).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await expect.poll(f.left).toEqual(['disks/copy.ext4', 'disks/gone.ext4', 'disks/one.ext4']);
  });

  it('is not unpacked into the reserve of the pool', async () => {
    await using f = await fixture({ reserveBytes: 1700 * mib });
    await f.disks.create('one', diskBytes);
    await f.inside('one', (top) => writeFile(join(top, 'f'), Buffer.alloc(150 * mib, 'z')));
    const bytes = await exportOf(f, 'one', []);
    await expect.poll(f.left).toEqual(['disks/one.ext4']);
    const ballast = join(f.disks.workDir, 'ballast');
    await writeFile(ballast, Buffer.alloc(40 * mib, 'b'));
    await expect(f.unpack(bytes)).rejects.toMatchObject({ code: 'out_of_space' });
    await rm(ballast);
    expect(await f.left()).toEqual(['disks/one.ext4']);
  });
});

async function endOf(archive: Buffer): Promise<ExportEnd> {
  const plain = zstdDecompressSync(archive);
  const reader = new TarReader(
    (async function* () {
      yield plain;
    })(),
  );
  for (
    let member = await reader.next(memberLimit);
    member !== undefined;
    member = await reader.next(memberLimit)
  ) {
    if (member.name === endName) return ExportEnd.parse(JSON.parse(Buffer.from(member.content).toString()));
  }
  throw new Error(`there is no ${endName}`);
}

/** Overwrites the first block of the image that is a directory with this name in it. */
async function damageDirectory(image: string, name: string): Promise<void> {
  await using file = await open(image, 'r+');
  // so small a disk has small blocks
  const block = Buffer.alloc(1024);
  const { size } = await file.stat();
  for (let at = 0; at < size; at += block.length) {
    await file.read(block, 0, block.length, at);
    // not the journal's copy, which has another block before it
    if (!block.includes(name) || block.readUInt8(6) !== 1) continue;
    await file.write(Buffer.alloc(block.length, 0xff), 0, block.length, at);
  }
}

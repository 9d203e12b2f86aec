import { randomBytes } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, open, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountDetached } from './detached-mount.ts';
import { type BlockRun, Ext4Inodes } from './ext4-inodes.ts';
import { type FileStats, lookAt, noDirectory } from './file-stats.ts';
import { attachLoop } from './loop.ts';
import { runTool } from './tool.ts';

const imageBytes = 64 * 1024 ** 2;
const rounds = 300;

/** An ext4 in a file that some files have been written to, all with bytes that tell where they are. */
async function openExt4(options: readonly string[], fill: (directory: string) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), 'sprites-inodes-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'image');
  writeFileSync(file, '');
  await truncate(file, imageBytes);
  await runTool(['mkfs.ext4', '-q', '-F', ...options, file]);
  {
    await using mount = await mountImage(file, false);
    await fill(mount.path);
  }
  const { path } = stack.use(await mountImage(file, true));
  const { fd } = stack.use(await open(file, 'r+'));
  const resources = stack.move();
  return {
    path,
    fd,
    inodes: new Ext4Inodes(fd),
    stats: (name: string): FileStats => {
      const stats = lookAt(noDirectory, join(path, name));
      if (stats === undefined) throw new Error(`no file ${name}`);
      return stats;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function mountImage(file: string, readOnly: boolean) {
  await using device = await attachLoop({ file, readOnly });
  return await mountDetached({ type: 'ext4', source: device.path, readOnly });
}

/** What the runs of a file hold, as its bytes. */
function readRuns(fd: number, runs: readonly BlockRun[], sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (const { start, length, at } of runs) {
    const wanted = Math.min(length, sizeBytes - start);
    if (at !== undefined && wanted > 0) readSync(fd, bytes, start, wanted, at);
  }
  return bytes;
}

/** Files whose blocks lie in the ways that blocks can lie. */
async function fillOddly(directory: string): Promise<void> {
  // another program is to find it as well
  const at = (name: string): string => join(directory.replace('/self/', `/${process.pid}/`), name);
  writeFileSync(at('empty'), '');
  writeFileSync(at('short'), 'a few bytes');
  writeFileSync(at('long'), randomBytes(50_000));
  writeSparse(at('holes'), [8192, 24_576], 60_000);
  writeSparse(at('many-extents'), [0, 8192, 16_384, 24_576, 32_768, 40_960], 60_000);
  // where blocks cannot be reserved, there are holes
  for (const name of ['reserved', 'half-reserved']) {
    await runTool(['sh', '-c', 'fallocate -l 30000 "$1" || truncate -s 30000 "$1"', 'sh', at(name)]);
  }
  const fd = openSync(at('half-reserved'), 'r+');
  writeSync(fd, 'in the middle', 9000);
  closeSync(fd);
}

function writeSparse(file: string, places: readonly number[], sizeBytes: number): void {
  const fd = openSync(file, 'w');
  for (const place of places) writeSync(fd, randomBytes(4096), 0, 4096, place);
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
}

/** The superblock, the first descriptor, and all with the inodes of the first group. */
const places = [
  { from: 1024, to: 2048 },
  { from: 4096, to: 4160 },
  { from: 4096, to: 2 * 1024 ** 2 },
];

/** Numbers that follow from a seed. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const names = ['empty', 'short', 'long', 'holes', 'many-extents', 'reserved', 'half-reserved'];

describe('Ext4Inodes', () => {
  it.each([
    { options: [], unknown: ['many-extents'] },
    { options: ['-b', '1024'], unknown: ['many-extents'] },
    { options: ['-I', '128', '-O', '^64bit'], unknown: ['many-extents'] },
    { options: ['-O', 'bigalloc'], unknown: [] },
    { options: ['-O', 'inline_data'], unknown: ['short', 'many-extents'] },
    { options: ['-O', '^extents,^64bit'], unknown: names },
    { options: ['-O', 'meta_bg,^resize_inode'], unknown: names },
  ])('finds what the kernel reads, of an ext4 made with "$options"', async ({ options, unknown }) => {
    await using f = await openExt4(options, fillOddly);
    const found: string[] = [];
    for (const name of names) {
      const stats = f.stats(name);
      const runs = f.inodes.findBlocks(stats);
      if (runs === undefined) continue;
      found.push(name);
      expect(readRuns(f.fd, runs, Number(stats.sizeBytes)).equals(readFileSync(join(f.path, name)))).toBe(
        true,
      );
    }
    // what lies together, and so in how many extents, is the choice of the kernel
    const certain = ['short', 'long', 'reserved'].filter((name) => !unknown.includes(name));
    expect(found).toEqual(expect.arrayContaining(certain));
    expect(found.filter((name) => unknown.includes(name))).toEqual([]);
  });

  it('knows nothing of what the kernel sees otherwise', async () => {
    await using f = await openExt4([], fillOddly);
    const stats = f.stats('long');
    expect(f.inodes.findBlocks(stats)).toBeDefined();
    const others: readonly Partial<FileStats>[] = [
      { inode: stats.inode + 1n },
      { inode: 0n },
      { inode: 2n ** 64n - 1n },
      { sizeBytes: stats.sizeBytes + 1n },
      { ctimeNs: stats.ctimeNs + 1_000_000_000n },
      { mtimeNs: stats.mtimeNs - 1_000_000_000n },
      { permissions: stats.permissions ^ 1 },
      { kind: 'symlink' },
    ];
    for (const other of others) expect(f.inodes.findBlocks({ ...stats, ...other })).toBeUndefined();
  });

  it('stays within the file and never throws, whatever is in it', async () => {
    await using f = await openExt4([], fillOddly);
    const stats = f.stats('long');
    const [run] = f.inodes.findBlocks(stats) ?? [];
    expect(run).toBeDefined();
    const clean = Buffer.alloc(2 * 1024 ** 2);
    readSync(f.fd, clean, 0, clean.length, 0);
    const random = createRandom(4711);
    for (let round = 0; round < rounds; round++) {
      const bytes = Buffer.from(clean);
      const { from, to } = places[round % places.length] ?? { from: 0, to: 0 };
      for (let count = 0; count < 40; count++) bytes[from + random(to - from)] = random(256);
      writeSync(f.fd, bytes, 0, bytes.length, 0);
      for (const { at, length } of new Ext4Inodes(f.fd).findBlocks(stats) ?? []) {
        if (at !== undefined) expect(at + length).toBeLessThanOrEqual(imageBytes);
      }
    }
    writeSync(f.fd, clean, 0, clean.length, 0);
  });
});

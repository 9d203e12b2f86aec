import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { openSpriteTree } from './testing/sprite-tree.ts';

const kinds = ['file', 'directory', 'symlink'] as const;

/** What a tree holds: path → kind, metadata and content, read through overlayfs itself. */
function readTree(root: string, path = ''): Map<string, string> {
  const facts = new Map([[path === '' ? '/' : path, describeFile(join(root, path))]]);
  if (!lstatSync(join(root, path)).isDirectory()) return facts;
  for (const name of readdirSync(join(root, path))) {
    for (const [inner, text] of readTree(root, `${path}/${name}`)) facts.set(inner, text);
  }
  return facts;
}

function describeFile(file: string): string {
  const { mode, uid, gid, mtimeMs } = lstatSync(file);
  const stats = lstatSync(file);
  const kind = kinds[[stats.isFile(), stats.isDirectory(), stats.isSymbolicLink()].indexOf(true)] ?? 'other';
  const content = stats.isFile()
    ? createHash('sha256').update(readFileSync(file)).digest('hex')
    : stats.isSymbolicLink()
      ? readlinkSync(file)
      : '';
  return [kind, content, `${mode & 0o7777} ${uid} ${gid} ${stats.isDirectory() ? '' : mtimeMs}`].join('|');
}

/** How two trees differ, path by path. */
function expected(before: Map<string, string>, after: Map<string, string>): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((path) => {
    const change = changeOf(before.get(path), after.get(path));
    return change === undefined ? [] : [`${change} ${path}`];
  });
}

function changeOf(before: string | undefined, after: string | undefined): string | undefined {
  if (before === after) return undefined;
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  const [a, b] = [before.split('|'), after.split('|')];
  if (a[0] !== b[0]) return 'retyped';
  return a[1] === b[1] ? 'metadata' : 'changed';
}

/** Numbers that follow from a seed. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Does something to the tree that a program in a sprite might do. */
function disturb(root: string, random: (below: number) => number): void {
  const paths = [...readTree(root).keys()].filter((path) => path !== '/');
  const pick = (): string => join(root, paths[random(paths.length)] ?? 'none');
  const directory = (): string => {
    const path = pick();
    return lstatSync(path).isDirectory() ? path : join(path, '..');
  };
  /** at some depth, or soon nothing would be left */
  const deep = (): string => {
    const path = pick();
    return path.split('/').length - root.split('/').length > 1 ? path : join(path, 'none');
  };
  const fresh = (): string => join(directory(), `n${random(6)}`);
  const actions: readonly (() => void)[] = [
    () => writeFileSync(fresh(), `content ${random(3)}`),
    () => writeFileSync(fresh(), 'x'.repeat(random(9000))),
    () => mkdirSync(fresh()),
    () => symlinkSync(`target${random(2)}`, fresh()),
    () => rmSync(deep(), { recursive: true }),
    () => renameSync(pick(), fresh()),
    () => renameSync(directory(), fresh()),
    () => renameSync(directory(), fresh()),
    () => chmodSync(pick(), 0o600 + random(2)),
    () => chownSync(pick(), random(2), random(2)),
    () => utimesSync(pick(), 1000 + random(2), 1000 + random(2)),
    () => linkSync(pick(), fresh()),
    () => {
      const path = pick();
      const { atime, mtime, size } = statSync(path);
      if (lstatSync(path).isFile()) {
        writeFileSync(path, 'y'.repeat(size));
        utimesSync(path, atime, mtime);
      }
    },
    () => {
      const path = deep();
      if (!lstatSync(path).isDirectory()) return;
      rmSync(path, { recursive: true });
      mkdirSync(path);
    },
  ];
  try {
    actions[random(actions.length)]?.();
  } catch {
    // not every action fits every path
  }
}

async function fillImage(directory: string): Promise<void> {
  for (const top of ['etc', 'usr', 'var']) {
    for (const sub of ['a', 'b/c', 'd']) {
      await mkdir(join(directory, top, sub), { recursive: true });
      for (const name of ['one', 'two', 'three'])
        await writeFile(join(directory, top, sub, name), `${top}${sub}${name}`);
    }
  }
}

const rounds = 9;

describe('compare', () => {
  it('agrees with what overlayfs shows, whatever was done', async () => {
    await using f = await openSpriteTree(fillImage);
    const random = createRandom(4711);
    const seen: Map<string, string>[] = [];
    for (let round = 0; round < rounds; round++) {
      if (round > 0) for (let step = 0; step < 25; step++) disturb(f.root, random);
      await f.save(`v${round + 1}`);
      seen.push(readTree(f.root));
    }
    const pairs = seen.flatMap((_, round) =>
      round === 0
        ? []
        : [
            [round - 1, round],
            [0, round],
            [round, 0],
          ],
    );
    for (const [a = 0, b = 0] of pairs) {
      const changes = await f.compare(`v${a + 1}`, `v${b + 1}`);
      const wanted = expected(seen[a] ?? new Map(), seen[b] ?? new Map());
      expect(wanted.length).toBeGreaterThan(0);
      expect(changes.map(({ change, path }) => `${change} ${path}`).toSorted()).toEqual(wanted.toSorted());
    }
    expect(await f.compare(`v${rounds}`, undefined)).toEqual([]);
  }, 120_000);

  it('sees a file written again within a tick of the clock, around the moment of saving', async () => {
    await using f = await openSpriteTree(fillImage);
    const file = join(f.root, 'etc/quick');
    for (let round = 1; round <= 8; round++) {
      writeFileSync(file, `a${round % 10}`);
      utimesSync(file, 1000, 1000);
      await f.save(`v${round}`);
      writeFileSync(file, `b${round % 10}`);
      utimesSync(file, 1000, 1000);
      expect(await f.compare(`v${round}`, undefined)).toMatchObject([
        { change: 'changed', path: '/etc/quick' },
      ]);
    }
  }, 120_000);

  it('reads what a disk without power left in its journal', async () => {
    await using f = await openSpriteTree(fillImage);
    await f.save('v1');
    writeFileSync(join(f.root, 'etc/late'), 'late');
    await runTool(['sync', join(f.root, 'etc/late')]);
    // neither frozen nor unmounted, as by a power cut
    await f.disks.saveCheckpoint('one', 'v2');
    expect(await f.compare('v1', 'v2')).toMatchObject([{ change: 'added', path: '/etc/late' }]);
  });

  it('tells other content from the same written anew, wherever its blocks lie', async () => {
    await using f = await openSpriteTree(fillImage);
    const at = (name: string): string => join(f.root, 'etc', name);
    const write = (name: string, bytes: Buffer): void => {
      rmSync(at(name), { force: true });
      writeFileSync(at(name), bytes);
      utimesSync(at(name), 1000, 1000);
    };
    const sizes = [1, 4096, 5000, 65_536, 65_537, 300_000];
    const zeros = (size: number): Buffer => Buffer.alloc(size);
    const lastOne = (size: number): Buffer => Buffer.concat([zeros(size - 1), Buffer.of(1)]);
    for (const size of sizes) {
      write(`same${size}`, lastOne(size));
      write(`other${size}`, lastOne(size));
      for (const name of [`hole${size}`, `filled${size}`]) {
        writeFileSync(at(name), '');
        truncateSync(at(name), size);
        utimesSync(at(name), 1000, 1000);
      }
    }
    await f.save('v1');
    for (const size of sizes) {
      write(`same${size}`, lastOne(size));
      write(`other${size}`, zeros(size));
      write(`hole${size}`, zeros(size));
      write(`filled${size}`, lastOne(size));
    }
    await f.save('v2');
    const changed = sizes.flatMap((size) => [`changed /etc/other${size}`, `changed /etc/filled${size}`]);
    for (const [before, after] of [
      ['v1', 'v2'],
      ['v2', 'v1'],
    ]) {
      const changes = await f.compare(before, after);
      expect(changes.map(({ change, path }) => `${change} ${path}`)).toEqual(changed.toSorted());
    }
  }, 120_000);

  it('compares again after a comparison that was left, aborted or refused', async () => {
    await using f = await openSpriteTree(fillImage);
    await f.save('v1');
    for (let index = 0; index < 2000; index++) writeFileSync(join(f.root, 'etc', `n${index}`), 'x');
    await f.save('v2');
    const compare = (signal: AbortSignal) =>
      f.views.compare({ before: f.source('v1'), after: f.source('v2'), path: '/' }, signal);
    const count = async (): Promise<number> => (await f.compare('v1', 'v2', '/etc')).length;
    expect(await count()).toBe(2000);
    for await (const changes of compare(new AbortController().signal)) {
      expect(changes.length).toBeGreaterThan(0);
      break;
    }
    expect(await count()).toBe(2000);
    const leaving = new AbortController();
    await expect(
      (async () => {
        for await (const _ of compare(leaving.signal)) leaving.abort(new Error('left'));
      })(),
    ).rejects.toThrow('left');
    expect(await count()).toBe(2000);
    const nowhere = { before: f.source('v1'), after: f.source('v2'), path: '/none' };
    const patch = f.views.patch(nowhere, new AbortController().signal);
    await expect(Array.fromAsync(patch)).rejects.toMatchObject({ code: 'path_not_found' });
    expect(await Promise.all([count(), count()])).toEqual([2000, 2000]);
  }, 120_000);
});

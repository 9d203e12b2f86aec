import { zstdCompressSync } from 'node:zlib';
import { SpriteError } from '@sprites/contract';
import {
  contentName,
  encodeMember,
  listingName,
  manifestName,
  TarReader,
  tarEnd,
} from '@sprites/contract/export';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  directory,
  diskBytes,
  type Fixture,
  file,
  fixture,
  manifest,
  membersOf,
  meta,
  pack,
  sha256,
  symlink,
  toTar,
  withEnd,
} from './fixture.ts';

const mib = 1024 ** 2;
const hello = Buffer.from('hello');
const chunk = { at: 0, length: 5, sha256: sha256(hello) };

let f: Fixture;

beforeAll(async () => {
  f = await fixture();
});
afterAll(async () => {
  await f?.[Symbol.asyncDispose]();
});

async function expectRefused(bytes: Uint8Array, code = 'invalid_request'): Promise<SpriteError> {
  const error = await f.unpack(bytes).then(
    () => new Error('it was unpacked'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpriteError)) throw error;
  expect(error.code, error.message).toBe(code);
  expect(await f.left()).toEqual([]);
  return error;
}

describe('a listing from anywhere', () => {
  it('is unpacked when it is right, which the others here are but for one thing', async () => {
    const entries = [
      directory('d'),
      file('d/f', { size: 5, chunks: [chunk] }),
      symlink('d/l', '/etc/passwd'),
    ];
    await f.unpack(pack(membersOf(entries, [hello])));
    expect(await f.left()).toEqual(['disks/copy.ext4']);
    await f.disks.remove('copy');
  });

  const cases: readonly (readonly [string, readonly unknown[], (readonly Uint8Array[])?])[] = [
    ['a step up', [file('../f')]],
    ['a step up on the way', [directory('d'), file('d/../../f')]],
    ['a path from the root', [file('/etc/passwd')]],
    ['an empty step', [directory('d'), file('d//f')]],
    ['a step to itself', [file('./f')]],
    ['no name', [file('')]],
    ['NUL', [file('a\0b')]],
    ['a name that is too long', [file('n'.repeat(256))]],
    ['a path that is too long', [file('d/'.repeat(20_000))]],
    ['bytes that are no base64', [file({ b64: '%%' })]],
    ['a step through a link', [symlink('l', '/etc'), file('l/passwd')]],
    ['a step through a link by bytes', [symlink({ b64: 'bA==' }, '..'), directory('l/d')]],
    ['a step through a file', [file('f'), file('f/g')]],
    ['a step through nothing', [file('d/f')]],
    ['a name twice', [file('f'), file('f')]],
    ['a directory in place of a link', [symlink('l', '/etc'), directory('l')]],
    ['a file said to be there', [file('f', { isNew: false })]],
    ['a link said to be a file', [symlink('l', '/etc/passwd'), file('l', { isNew: false })]],
    ['a removal of nothing', [{ op: 'remove', path: 'f' }]],
    ['a removal of the top', [{ op: 'remove', path: '' }]],
    ['a removal through a link', [symlink('l', '/etc'), { op: 'remove', path: 'l/passwd' }]],
    ['a second name through a link', [symlink('l', '/etc'), { op: 'link', path: 'p', to: 'l/passwd' }]],
    ['a second name of a directory', [directory('d'), { op: 'link', path: 'p', to: 'd' }]],
    ['a second name of something above', [{ op: 'link', path: 'p', to: '../work' }]],
    ['a time of a link', [symlink('l', '/etc'), { op: 'seal', path: 'l', mtime: '0' }]],
    ['a device', [{ op: 'node', path: 'sda', ...meta, kind: 'block' }]],
    ['a device by number', [{ op: 'node', path: 'sda', ...meta, kind: 'whiteout', rdev: 8 }]],
    ['an owner outside', [file('f', { uid: 65_536 })]],
    ['an owner below', [file('f', { gid: -1 })]],
    ['a mode with more than a mode', [file('f', { mode: 0o120777 })]],
    ['a size below nothing', [file('f', { size: -1 })]],
    ['a size that no file has', [file('f', { size: 2 ** 53 - 1 })]],
    ['a time that is none', [file('f', { mtime: 'now' })]],
    ['an unknown step', [{ op: 'mount', path: 'f' }]],
    ['an unknown member', [{ ...file('f'), setuid: true }]],
    ['content of no file', [{ op: 'more', chunks: [chunk] }], [hello]],
    ['content of a directory', [directory('d'), { op: 'more', chunks: [chunk] }], [hello]],
    ['content behind the end', [file('f', { size: 4, chunks: [chunk] })], [hello]],
    ['a hole behind the end', [file('f', { size: 4, chunks: [{ at: 0, length: 5, hole: true }] })]],
    ['content that is not there', [file('f', { size: 5, chunks: [chunk] })]],
    ['content nobody asked for', [file('f')], [hello]],
    ['content of another length', [file('f', { size: 9, chunks: [{ ...chunk, length: 4 }] })], [hello]],
    ['a link to nothing', [symlink('l', '')]],
  ];
  for (const [what, entries, content = []] of cases) {
    it(`is refused with ${what}`, async () => {
      await expectRefused(pack(membersOf(entries, content)));
    });
  }

  it.each([
    ['trusted.evil', 'y'],
    ['trusted.overlay.origin', 'y'],
    ['trusted.overlay.metacopy', ''],
    ['trusted.overlay.opaque', 'x'],
    ['trusted.overlay.redirect', '/../../etc'],
    ['trusted.overlay.redirect', '..'],
    ['trusted.overlay.redirect', 'a/b'],
    ['security.selinux', 'x'],
    ['security.ima', 'x'],
    ['security.capability', 'x'],
    ['user.\0', 'x'],
    ['user.big', 'x'.repeat(70_000)],
  ])('is refused with the attribute %s = %.12s', async (name, value) => {
    const xattrs = [[name, Buffer.from(value).toString('base64')]];
    await expectRefused(pack(membersOf([directory('d', { xattrs: xattrs as never })])));
  });

  it('is refused when it holds more than it promised', async () => {
    const trees = (most_bytes: number, most_entries: number) => ({
      trees: [{ id: 'Current', most_bytes, most_entries }],
    });
    const entries = [file('f', { size: 5, chunks: [chunk] }), file('g')];
    await f.unpack(pack(membersOf(entries, [hello], trees(5, 2))));
    await f.disks.remove('copy');
    const bytes = await expectRefused(pack(membersOf(entries, [hello], trees(4, 2))));
    expect(bytes.message).toContain('more content than it promised');
    const files = await expectRefused(pack(membersOf(entries, [hello], trees(5, 1))));
    expect(files.message).toContain('more files than it promised');
  });

  it('is refused at once when it promises more than fits', async () => {
    const trees = [{ id: 'Current', most_bytes: diskBytes + 1, most_entries: 1 }];
    const error = await expectRefused(pack(membersOf([], [], { trees })), 'out_of_space');
    expect(error.message).toMatch(/take up to 256 MiB, and its disk here has 256 MiB/);
  });

  it('is refused when the disk gets full, and nothing is left', async () => {
    const block = Buffer.alloc(mib);
    const chunks = Array.from({ length: 300 }, (_, at) => ({
      at: at * mib,
      length: mib,
      sha256: sha256(block),
    }));
    const trees = [{ id: 'Current', most_bytes: diskBytes, most_entries: 1 }];
    const content = Array.from({ length: 300 }, () => block);
    const bomb = pack(membersOf([file('f', { size: 300 * mib, chunks })], content, { trees }));
    expect(bomb.length).toBeLessThan(mib);
    await expectRefused(bomb, 'out_of_space');
  });
});

describe('members from anywhere', () => {
  const right = membersOf([file('f', { size: 5, chunks: [chunk] })], [hello]);
  const [first = ['', hello], listing = ['', hello], content = ['', hello], end = ['', hello]] = right;
  const counts = { entries: 1, content_bytes: 5 };

  it.each([
    ['nothing but an end', [end]],
    ['no manifest', [listing, content, end]],
    ['two manifests', [first, first, listing, content, end]],
    ['no listing', withEnd([first], { entries: 0, content_bytes: 0 })],
    ['a listing twice', withEnd([first, listing, content, listing, content], counts)],
    ['a listing of another tree', withEnd([first, [listingName('v1', 0), listing[1]], content], counts)],
    ['a part that is missing', withEnd([first, [listingName('Current', 1), listing[1]], content], counts)],
    ['content before its listing', withEnd([first, content, listing], counts)],
    ['changed content', withEnd([first, listing, [content[0], Buffer.from('hallo')]], counts)],
    ['no end', [first, listing, content]],
    ['two ends', [first, listing, content, end, end]],
    ['something behind the end', [first, listing, content, end, content]],
    ['wrong counts', withEnd([first, listing, content], { entries: 2, content_bytes: 5 })],
    [
      'a name that goes elsewhere',
      withEnd([first, ['trees/../../../etc/passwd', hello], listing, content], counts),
    ],
    ['a foreign name', withEnd([first, ['etc/passwd', hello], listing, content], counts)],
    ['content with a name of another kind', withEnd([first, listing, ['content/ZZ', hello]], counts)],
    ['half a line', withEnd([first, [listing[0], Buffer.from('{"op":"remove","path":"x"}')]], counts)],
    ['no text', withEnd([first, [listing[0], Buffer.from([0xff, 0x0a])]], counts)],
    ['a deep object', withEnd([first, [listing[0], Buffer.from(`${'['.repeat(100_000)}\n`)]], counts)],
    [
      'too large a piece',
      withEnd([first, listing, [contentName(sha256(Buffer.alloc(2 * mib))), Buffer.alloc(2 * mib)]], counts),
    ],
  ])('are refused: %s', async (_, members) => {
    await expectRefused(pack(members));
  });

  // typeflags of POSIX and GNU: hard link, symbolic link, devices, directory, FIFO, extensions, long names, sparse
  it.each([...'123456gxXLKSDMNV\0'])('are refused when they are of kind %j', async (kind) => {
    const tar = toTar(right);
    tar.write(kind, 512 + Math.ceil(first[1].length / 512) * 512 + 156, 'latin1');
    await expectRefused(zstdCompressSync(withSum(tar, 512 + Math.ceil(first[1].length / 512) * 512)));
  });

  it('are refused when a header says anything else than it must', async () => {
    const at = 512 + Math.ceil(first[1].length / 512) * 512;
    for (const [offset, text] of [
      [100, '0000777'],
      [108, '0001750'],
      [124, '77777777777'],
      [124, '\x80\0\0\0\0\0\0\0\0\0\x05'],
      [157, '/etc/passwd'],
      [257, 'ustar  '],
      [345, 'etc'],
      [500, 'x'],
    ] as const) {
      const tar = toTar(right);
      tar.write(text, at + offset, 'latin1');
      await expectRefused(zstdCompressSync(withSum(tar, at)));
    }
  });

  it('never lead to anything but a refusal or a whole sprite', async () => {
    const tar = toTar(right);
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(tar);
        changed.writeUInt8(changed.readUInt8(at) ^ by, at);
        await expectRefused(zstdCompressSync(changed));
      }),
      { numRuns: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4000 }), async (bytes) => {
        const reader = new TarReader(
          (async function* () {
            yield bytes;
          })(),
        );
        await expect(reader.next(() => 1000)).rejects.toBeInstanceOf(SpriteError);
      }),
    );
  });

  it('that would take more memory than an export does are refused', async () => {
    const { constants } = await import('node:zlib');
    const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_enableLongDistanceMatching]: 1 };
    const wide = zstdCompressSync(Buffer.concat([toTar(right), Buffer.alloc(200 * mib)]), { params });
    await expectRefused(wide);
  });

  it('have names that a manifest must not give', async () => {
    const tree = { most_bytes: 1, most_entries: 1 };
    const checkpoint = { create_time: '2026-01-01T00:00:00Z', is_auto: false };
    for (const change of [
      { trees: [{ ...tree, id: '../x' }] },
      {
        trees: [
          { ...tree, id: 'Current' },
          { ...tree, id: 'Current' },
        ],
      },
      { trees: [{ ...tree, id: 'Current', base: 'v1' }] },
      { trees: [{ ...tree, id: 'v1' }] },
      { trees: [{ ...tree, id: 'Current' }], checkpoints: [{ ...checkpoint, id: 'v1' }] },
      { trees: [] },
      { version: 2 as never },
      { format: 'other' as never },
      { sprite: { ...manifest.sprite, extra: true } as never },
      { sprite: { ...manifest.sprite, environment: { 'A=B': 'x' } } },
    ]) {
      await expectRefused(pack(membersOf([], [], change)));
    }
    const text = encodeMember(manifestName, Buffer.from('{'));
    await expectRefused(zstdCompressSync(Buffer.concat([...text, tarEnd])));
  });
});

/** Gives the header at a place the checksum it should have. */
function withSum(tar: Buffer, at: number): Buffer {
  const header = tar.subarray(at, at + 512);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return tar;
}

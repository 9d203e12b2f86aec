import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { attachLoop, mount, runTool, unmount } from '@sprites/linux';
import { describe, expect, it } from 'vitest';
import { openImages } from './index.ts';

const signal = new AbortController().signal;
const passwd = 'root:x:0:0:root:/root:/bin/bash\n';
const base: readonly Member[] = [
  { name: 'etc/passwd', text: passwd },
  { name: 'etc/group', text: 'root:x:0:\nsudo:x:27:\n' },
  { name: 'bin/sh', text: '#!' },
];

type Member = {
  readonly name: string;
  readonly text?: string;
  /** tar's type flag: `0` file, `1` hard link, `2` symbolic link, `3` character device, `5` directory */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly owner?: number;
};

/** A tar archive as its bytes, with whatever names and links are asked for. */
function tar(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, text = '', type = '0', link = '', mode = 0o755, owner = 0 }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
    for (const at of [108, 116]) header.write(`${owner.toString(8).padStart(7, '0')}\0`, at);
    header.write(`${Buffer.byteLength(text).toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write(' '.repeat(8), 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257, 'latin1');
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / 512) * 512);
    body.write(text);
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

async function fixture() {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-images-'));
  const images = await openImages({ dataDir: join(dir, 'data'), signal });
  const mountPoint = join(dir, 'mnt');
  await mkdir(mountPoint);
  return {
    dir,
    images,
    root: mountPoint,
    async importBytes(bytes: Buffer, name = 'test') {
      const file = join(dir, 'archive');
      await writeFile(file, bytes);
      return images.import(file, { name });
    },
    /** Mounts an image at `root`. */
    async open(image: { readonly file: string }) {
      await using device = await attachLoop({ file: image.file, readOnly: true });
      await mount({ source: device.path, target: mountPoint, type: 'erofs', flags: ['read-only'] });
    },
    /** Writes an OCI layout of the given layers. */
    async writeLayout(
      layers: readonly Buffer[],
      change: (blobs: Map<string, Buffer>) => void = () => undefined,
    ) {
      const blobs = new Map<string, Buffer>();
      const put = (bytes: Buffer, mediaType: string) => {
        const digest = createHash('sha256').update(bytes).digest('hex');
        blobs.set(digest, bytes);
        return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
      };
      const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
      const config = put(Buffer.from(JSON.stringify({ architecture, os: 'linux' })), 'config');
      const described = layers.map((layer) => put(layer, 'layer'));
      const manifest = put(
        Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: described })),
        'manifest',
      );
      change(blobs);
      const layout = join(dir, 'layout');
      await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true });
      await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(
        join(layout, 'index.json'),
        JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
      );
      for (const [name, bytes] of blobs) await writeFile(join(layout, 'blobs', 'sha256', name), bytes);
      return layout;
    },
    async [Symbol.asyncDispose]() {
      await unmount(mountPoint);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const refused = (text: RegExp) => ({ code: 'invalid_request', message: expect.stringMatching(text) });

describe('importing a root file system', () => {
  it('packs it, adds user sprite, and finds it by name and digest', async () => {
    await using f = await fixture();
    const image = await f.importBytes(tar([...base, { name: 'etc/sudoers.d/', type: '5' }]), 'mine');
    expect(await f.images.find('mine')).toEqual(image);
    expect(await f.images.find(image.digest)).toEqual(image);
    expect(await f.images.find('other')).toBeUndefined();
    await f.open(image);
    expect(await readFile(join(f.root, 'etc/passwd'), 'utf8')).toBe(
      `${passwd}sprite:x:1000:1000:Sprite:/home/sprite:/bin/sh\n`,
    );
    expect(await readFile(join(f.root, 'etc/group'), 'utf8')).toBe(
      'root:x:0:\nsudo:x:27:sprite\nsprite:x:1000:\n',
    );
    expect(await readFile(join(f.root, 'etc/sudoers.d/90-sprite'), 'utf8')).toContain('NOPASSWD');
    expect(await readdir(f.root)).toEqual(expect.arrayContaining(['dev', 'proc', 'sys', 'tmp', 'home']));
  });

  it('makes the same image of the same archive, however it is compressed', async () => {
    await using f = await fixture();
    const bytes = tar(base);
    const plain = join(f.dir, 'plain.tar');
    await writeFile(plain, bytes);
    await runTool(['xz', '--keep', plain]);
    const digests = [];
    for (const each of [bytes, gzipSync(bytes), zstdCompressSync(bytes), await readFile(`${plain}.xz`)]) {
      digests.push((await f.importBytes(each)).digest);
    }
    expect(new Set(digests).size).toBe(1);
    expect(await f.images.list()).toHaveLength(1);
  });

  it('renames the user who has id 1000', async () => {
    await using f = await fixture();
    const image = await f.importBytes(
      tar([
        { name: 'etc/passwd', text: `${passwd}ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n` },
        { name: 'etc/group', text: 'root:x:0:\nadm:x:4:syslog,ubuntu\nubuntu:x:1000:\n' },
        { name: 'etc/shadow', text: 'root:*:1::::::\nubuntu:!:1::::::\n', mode: 0o640 },
        { name: 'bin/bash', text: '#!' },
      ]),
    );
    await f.open(image);
    expect(await readFile(join(f.root, 'etc/passwd'), 'utf8')).not.toContain('ubuntu');
    expect(await readFile(join(f.root, 'etc/group'), 'utf8')).toBe(
      'root:x:0:\nadm:x:4:syslog,sprite\nsprite:x:1000:\n',
    );
    expect(await readFile(join(f.root, 'etc/shadow'), 'utf8')).toContain('sprite:*:20000');
  });

  it('leaves out device files', async () => {
    await using f = await fixture();
    await f.open(
      await f.importBytes(tar([...base, { name: 'opt/null', type: '3' }, { name: 'dev/sda', type: '3' }])),
    );
    expect(await readdir(join(f.root, 'opt'))).toEqual([]);
    expect(await readdir(join(f.root, 'dev'))).toEqual([]);
  });

  it.each([
    ['rubbish', Buffer.from('this is no archive'.repeat(100)), /cannot be unpacked/],
    ['a truncated archive', tar(base).subarray(0, 700), /cannot be unpacked/],
    ['damaged compression', gzipSync(tar(base)).subarray(0, 60), /cannot be unpacked/],
    ['no root file system', tar([{ name: 'hello', text: 'x' }]), /no \/etc\/passwd/],
    ['no shell', tar(base.slice(0, 2)), /no \/bin\/sh/],
    ['owners above 65535', tar([...base, { name: 'opt/x', owner: 70_000 }]), /opt\/x is owned by/],
    [
      'a user sprite with another id',
      tar([...base.slice(1), { name: 'etc/passwd', text: `${passwd}sprite:x:7:7::/:/bin/sh\n` }]),
      /user sprite with id 7/,
    ],
    ['a name with ..', tar([...base, { name: '../../outside', text: 'x' }]), /cannot be unpacked/],
    [
      'etc as a link',
      tar([...base.slice(2), { name: 'etc', type: '2', link: '/etc' }]),
      /\/etc of the image/,
    ],
    [
      'passwd as a link',
      tar([...base.slice(1), { name: 'etc/passwd', type: '2', link: '/etc/passwd' }]),
      /passwd of the image is not a regular file/,
    ],
    [
      'home as a link',
      tar([...base, { name: 'home', type: '2', link: '/tmp' }]),
      /home of the image is not a directory/,
    ],
  ])('refuses %s and leaves nothing behind', async (_, bytes, message) => {
    await using f = await fixture();
    await expect(f.importBytes(bytes)).rejects.toMatchObject(refused(message));
    expect(await readdir(join(f.dir, 'data', 'images'))).toEqual([]);
  });

  it('writes nothing outside, whatever names and links say', async () => {
    await using f = await fixture();
    const outside = join(f.dir, 'outside');
    await mkdir(outside);
    const evil = [
      { name: 'escape', type: '2', link: outside },
      { name: 'escape/planted', text: 'x' },
      { name: 'up', type: '2', link: '../../../../../../../../../../..' },
      { name: `up${outside}/planted`, text: 'x' },
      { name: `${outside}/absolute`, text: 'x' },
    ];
    await f.importBytes(tar([...base, ...evil])).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'invalid_request' });
    });
    expect(await readdir(outside)).toEqual([]);
  });

  it('refuses image names that are paths', async () => {
    await using f = await fixture();
    await writeFile(join(f.dir, 'a.tar'), tar(base));
    for (const name of ['', '..', '../x', 'A', 'a/b', '.x', 'x'.repeat(64)]) {
      await expect(f.images.import(join(f.dir, 'a.tar'), { name })).rejects.toMatchObject(
        refused(/cannot name an/),
      );
    }
    await expect(f.images.import(join(f.dir, 'none'), { name: 'a' })).rejects.toMatchObject(
      refused(/cannot be read/),
    );
  });
});

describe('importing an OCI layout', () => {
  const upper: readonly Member[] = [
    { name: 'opt/.wh.gone', text: '' },
    { name: 'srv/.wh..wh..opq', text: '' },
    { name: 'srv/new', text: 'new' },
  ];
  const lower: readonly Member[] = [
    ...base,
    { name: 'opt/gone/deep', text: 'x' },
    { name: 'opt/kept', text: 'x' },
    { name: 'srv/old', text: 'x' },
  ];

  it('applies layers and whiteouts, from a directory and from a tar', async () => {
    await using f = await fixture();
    const layout = await f.writeLayout([gzipSync(tar(lower)), tar(upper)]);
    const image = await f.images.import(layout, { name: 'oci' });
    await runTool(['tar', '-cf', join(f.dir, 'oci.tar'), '-C', layout, '.']);
    expect((await f.images.import(join(f.dir, 'oci.tar'), { name: 'oci' })).digest).toBe(image.digest);
    await f.open(image);
    expect(await readdir(join(f.root, 'opt'))).toEqual(['kept']);
    expect(await readdir(join(f.root, 'srv'))).toEqual(['new']);
  });

  it('refuses a damaged blob', async () => {
    await using f = await fixture();
    const layout = await f.writeLayout([tar(lower)], (blobs) => {
      for (const [name, bytes] of blobs)
        if (bytes.length > 1024) blobs.set(name, Buffer.concat([bytes, bytes]));
    });
    await expect(f.images.import(layout, { name: 'oci' })).rejects.toMatchObject(refused(/is damaged/));
  });

  it('refuses a missing blob, a bad index and another processor', async () => {
    await using f = await fixture();
    const layout = await f.writeLayout([tar(lower)]);
    const index = join(layout, 'index.json');
    const text = await readFile(index, 'utf8');
    await writeFile(index, '{');
    await expect(f.images.import(layout, { name: 'oci' })).rejects.toMatchObject(refused(/is not JSON/));
    await writeFile(index, '{"schemaVersion":2,"manifests":[]}');
    await expect(f.images.import(layout, { name: 'oci' })).rejects.toMatchObject(refused(/malformed/));
    await writeFile(index, text.replace('"size"', '"platform":{"os":"linux","architecture":"mips"},"size"'));
    await expect(f.images.import(layout, { name: 'oci' })).rejects.toMatchObject(
      refused(/nothing for linux/),
    );
    await writeFile(index, text);
    await rename(join(layout, 'blobs', 'sha256'), join(layout, 'blobs', 'md5'));
    await expect(f.images.import(layout, { name: 'oci' })).rejects.toMatchObject(refused(/is missing/));
  });

  it('keeps later layers from writing or removing through links of earlier ones', async () => {
    await using f = await fixture();
    const outside = join(f.dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), 'x');
    const first = tar([...base, { name: 'escape', type: '2', link: outside }]);
    const attacks = [
      [{ name: 'escape/planted', text: 'x' }],
      [{ name: 'escape/.wh.precious', text: '' }],
      [{ name: 'escape/.wh..wh..opq', text: '' }],
      [{ name: '../.wh.outside', text: '' }],
      [{ name: '.wh.', text: '' }],
      [{ name: '.wh...', text: '' }],
    ];
    for (const attack of attacks) {
      await rm(join(f.dir, 'layout'), { recursive: true, force: true });
      const layout = await f.writeLayout([first, tar(attack)]);
      await f.images.import(layout, { name: 'oci' }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'invalid_request' });
      });
      expect(await readdir(outside)).toEqual(['precious']);
    }
  });
});

describe('removing an image', () => {
  it('refuses while a sprite needs it', async () => {
    await using f = await fixture();
    const image = await f.importBytes(tar(base), 'mine');
    await expect(f.images.remove('mine', (digest) => digest === image.digest)).rejects.toMatchObject(
      refused(/in use/),
    );
    await f.images.remove('mine', () => false);
    expect(await f.images.list()).toEqual([]);
    await expect(f.images.remove('mine', () => false)).rejects.toMatchObject({ code: 'unknown_image' });
  });
});

import { type PathChange, type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';
import { failure } from './failure.ts';
import { sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

/** Changes as `letter path`, in the order they came. */
function brief(changes: readonly PathChange[]): readonly string[] {
  return changes.map(({ change, path }) => `${change} ${path}`);
}

async function diff(sprite: Sprite, before: string, after: string, path: string): Promise<readonly string[]> {
  return brief(await (await sprite.diff(before, after, { path })).all());
}

describe('diff', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('diff'));
    await sh(
      sprite,
      `set -e; sudo mkdir -p /w/dir/sub /w/gone /w/kept; sudo chown -R sprite /w; cd /w
      echo one > dir/changed; echo same > dir/same; echo x > dir/mode; echo t > dir/kind; echo s > dir/stamp
      ln -s target dir/link; echo gone > gone/file; for i in $(seq 100); do echo $i > kept/$i; done`,
    );
    await sprite.checkpoint();
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('names what was added, removed and changed, and what only in its metadata', async () => {
    await sh(
      sprite,
      `set -e; cd /w
      echo two > dir/changed; chmod 600 dir/mode; rm dir/kind; mkdir dir/kind; echo in > dir/kind/in
      ln -sf elsewhere dir/link; rm -r gone; mkdir new; echo new > new/file; mkfifo new/pipe
      echo s > dir/again; mv dir/again dir/stamp; setfattr -n user.a -v b dir/same 2>/dev/null || touch dir/same`,
    );
    await sprite.checkpoint();
    const stream = await sprite.diff('v1', 'v2', { path: '/w' });
    const changes = await stream.all();
    expect(brief(changes)).toEqual([
      'changed /w/dir/changed',
      'retyped /w/dir/kind',
      'added /w/dir/kind/in',
      'changed /w/dir/link',
      'metadata /w/dir/mode',
      'metadata /w/dir/same',
      'metadata /w/dir/stamp',
      'removed /w/gone',
      'removed /w/gone/file',
      'added /w/new',
      'added /w/new/file',
      'added /w/new/pipe',
    ]);
    expect(stream.totals).toEqual({
      added: 4,
      removed: 2,
      changed: 2,
      retyped: 1,
      metadata: 3,
      bytesBefore: 20,
      bytesAfter: 20,
    });
    expect(changes.find(({ path }) => path === '/w/dir/changed')).toMatchObject({
      before: { kind: 'file', size: 4, mode: '0644', uid: 1000 },
      after: { size: 4 },
    });
  });

  it('understands what hides and moves the image below', async () => {
    await sh(
      sprite,
      `set -e; sudo rm -r /usr/share/doc; sudo mkdir /usr/share/doc; sudo touch /usr/share/doc/mine
      sudo mv /etc/apt /etc/apt-moved; sudo rm /usr/bin/tac; sudo chmod 700 /usr/bin/wc; sudo touch -r /etc/passwd /etc/passwd
      sudo ln -sf /etc/shadow /usr/bin/cksum; ls /etc/apt-moved > /w/apt`,
    );
    const names = (await sh(sprite, 'cat /w/apt')).trim().split('\n');
    expect(await diff(sprite, 'v2', 'Current', '/usr/bin')).toEqual([
      'retyped /usr/bin/cksum',
      'removed /usr/bin/tac',
      'metadata /usr/bin/wc',
    ]);
    const doc = await diff(sprite, 'v2', 'Current', '/usr/share/doc');
    expect(doc).toContain('added /usr/share/doc/mine');
    expect(doc.filter((line) => line.startsWith('removed ')).length).toBe(doc.length - 1);
    const etc = await diff(sprite, 'v2', 'Current', '/etc');
    for (const name of names) {
      expect(etc).toContain(`removed /etc/apt/${name}`);
      expect(etc).toContain(`added /etc/apt-moved/${name}`);
    }
    expect(await diff(sprite, 'Current', 'Current', '/')).toEqual([]);
    expect(await diff(sprite, 'Current', 'v2', '/usr/bin/tac')).toEqual(['added /usr/bin/tac']);
  });

  it('is not led astray by what it finds', async () => {
    const before = (await sprite.checkpoint()).id;
    const script = `import os
os.makedirs('/w/odd'); os.chdir('/w/odd')
os.symlink('/etc', 'link'); os.symlink('/', 'root'); os.mkfifo('pipe'); os.symlink('loop', 'loop')
open(b'\\xff\\xfe', 'w').close(); open('new\\nline', 'w').close(); open('n' * 255, 'w').close()
with open('sparse', 'w') as f: f.truncate(1 << 40)
os.mkdir('deep'); os.chdir('deep')
for level in range(40):
    os.mkdir('d' * 200); os.chdir('d' * 200)
open('end', 'w').close()
os.makedirs('/w/many')
for i in range(20000): open('/w/many/%d' % i, 'w').close()`;
    await sprite.execFile('python3', ['-c', script]);
    const changes = await (await sprite.diff(before, 'Current', { path: '/w' })).all();
    const odd = changes.find(({ pathBytes }) => pathBytes !== undefined);
    expect(Buffer.from(odd?.pathBytes ?? [])).toEqual(Buffer.from('/w/odd/\xff\xfe', 'latin1'));
    expect(changes.filter(({ path }) => path.startsWith('/w/many/')).length).toBe(20_000);
    expect(changes.some(({ path }) => path === `/w/odd/deep${`/${'d'.repeat(200)}`.repeat(40)}/end`)).toBe(
      true,
    );
    expect(changes.find(({ path }) => path === '/w/odd/link')?.after).toMatchObject({
      kind: 'symlink',
      target: '/etc',
    });
    for (const path of ['/w/odd/link/passwd', '/w/odd/root', '/w/odd/pipe', '/w/odd/new\nline']) {
      expect((await diff(sprite, before, 'Current', path)).length).toBe(path.endsWith('passwd') ? 0 : 1);
    }
    expect(await diff(sprite, 'Current', 'Current', '/w')).toEqual([]);
  });

  it('shows how a text differs', async () => {
    await sh(
      sprite,
      'cd /w; seq 100 > text; seq 3 > gone-text; head -c 3000000 /dev/zero | tr "\\0" a > large',
    );
    const { id } = await sprite.checkpoint();
    await sh(
      sprite,
      'cd /w; sed -i 50s/.*/fifty/ text; rm gone-text; printf "\\0" > binary; echo a > large; echo new > new-text',
    );
    expect(await sprite.patch('/w/text', id)).toMatch(
      /^--- a\/w\/text\n\+\+\+ b\/w\/text\n@@ -47,7 \+47,7 @@\n 47\n 48\n 49\n-50\n\+fifty\n 51\n 52\n 53\n$/,
    );
    expect(await sprite.patch('/w/gone-text', id)).toContain('+++ /dev/null\n@@ -1,3 +0,0 @@\n-1\n-2\n-3\n');
    expect(await sprite.patch('/w/new-text', id)).toContain('--- /dev/null\n');
    expect(await sprite.patch('/w/text', id, id)).toBe('');
    for (const [path, code] of [
      ['/w/binary', 'not_text'],
      ['/w/large', 'not_text'],
      ['/w/odd/link', 'not_text'],
      ['/w/odd/pipe', 'not_text'],
      ['/w', 'not_text'],
      ['/w/odd/link/passwd', 'path_not_found'],
      ['/nowhere', 'path_not_found'],
    ] as const) {
      expect(await failure(sprite.patch(path, id)), path).toMatchObject({ errorCode: code });
    }
  });

  it('refuses what is not there or cannot be', async () => {
    for (const [before, after] of [
      ['v99', 'Current'],
      ['v1', 'v99'],
      ['../v1', 'v1'],
      ['current', 'v1'],
    ] as const) {
      expect(await failure(sprite.diff(before, after))).toMatchObject({ errorCode: 'checkpoint_not_found' });
    }
    for (const path of ['etc', '/etc/../root', '/a\0b', `/${'x'.repeat(5000)}`]) {
      expect(await failure(sprite.diff('v1', 'v2', { path }))).toMatchObject({
        errorCode: 'invalid_request',
      });
    }
    const other = new SpritesClient(testServer().otherToken, { baseURL });
    expect(await failure(other.sprite(sprite.name).diff('v1', 'v2'))).toMatchObject({ statusCode: 404 });
  });

  it('never wakes the sprite, and ends when its reader leaves', async () => {
    await sprite.upgrade();
    for await (const change of await sprite.diff('v1', 'Current')) {
      expect(change.path).toMatch(/^\//);
      break;
    }
    expect((await diff(sprite, 'v1', 'Current', '/w/many')).length).toBe(20_001);
    expect((await client.getSprite(sprite.name)).status).toBe('cold');
  });

  it('is readable on the command line, for people and programs', async () => {
    const cli = await CommandLine.openFor(testServer());
    onTestFinished(() => cli.close());
    const run = (...args: readonly string[]) => cli.run(['checkpoint', 'diff', '-s', sprite.name, ...args]);
    expect((await run('v1', 'v2', '/w')).text).toBe(`M /w/dir/changed  4 bytes → 4 bytes
T /w/dir/kind/  file → directory
A /w/dir/kind/in  3 bytes
M /w/dir/link  → elsewhere
m /w/dir/mode  0644 → 0600
m /w/dir/same  time or attributes
m /w/dir/stamp  time or attributes
D /w/gone/
D /w/gone/file  5 bytes
A /w/new/
A /w/new/file  4 bytes
A /w/new/pipe
4 added, 2 removed, 3 changed, 3 with other metadata; 20 bytes → 20 bytes
`);
    expect((await run('v2', '/w/dir/changed')).text).toBe('no difference\n');
    const lines = (await run('v1', 'v2', '/w/gone', '--json')).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { change: 'removed', path: '/w/gone' },
      { path: '/w/gone/file' },
      { totals: { removed: 2 } },
    ]);
    expect((await run('v1', 'v2', '/w/dir/changed', '--patch')).text).toContain('\n-one\n+two\n');
    for (const args of [['v1', '--patch'], ['v1', 'etc', 'x'], [], ['v1', '/etc', '/w']]) {
      expect((await run(...args)).code).toBe(2);
    }
  });
});

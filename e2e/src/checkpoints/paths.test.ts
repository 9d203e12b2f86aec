import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';
import { failure } from './failure.ts';
import { sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

/** All there is to know of the files below a path. */
function describeTree(sprite: Sprite, path: string): Promise<string> {
  return sh(
    sprite,
    `sudo find ${path} ! -type d -printf '%p %y %m %U %G %T@ %l %n %s\\n' -o -printf '%p %y %m %U %G %T@\\n' | sort
    sudo find ${path} -type f -print0 | sort -z | sudo xargs -0 sha256sum`,
  );
}

async function restore(
  sprite: Sprite,
  id: string,
  paths: readonly string[],
  remove?: boolean,
): Promise<string> {
  const stream = await sprite.restorePaths(id, paths, remove === undefined ? {} : { remove });
  return (await stream.wait()).data ?? '';
}

describe('restore of paths', () => {
  let sprite: Sprite;
  let before: string;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('paths'));
    await sh(
      sprite,
      `set -e; sudo mkdir -p /w/tree/a/b; sudo chown -R sprite /w; cd /w/tree
      for i in $(seq 30); do echo $i > a/$i; done; ln a/1 a/b/hard; ln -s /etc/passwd link; mkfifo pipe
      truncate -s 100M sparse; printf end >> sparse; touch -d '2001-02-03 04:05:06.123456789' a/2; chmod 751 a
      sudo sh -c 'echo s > rooted; chmod 4711 rooted; chgrp 7 a/3'; : > 'odd ü name'; echo keep > /w/other`,
    );
    before = await describeTree(sprite, '/w/tree');
    await sprite.checkpoint();
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('makes a tree exactly as it was, while the sprite runs', async () => {
    const session = sprite.spawn('sleep', ['1000'], { stdin: false });
    session.on('error', () => undefined);
    await sh(
      sprite,
      `cd /w/tree; echo changed > a/1; sudo rm -r a/b link rooted; echo new > new; mkdir link; chmod 700 a; echo other > /w/other`,
    );
    expect(await restore(sprite, 'v1', ['/w/tree'])).toMatch(/^\d+ restored, 0 removed$/);
    expect(await describeTree(sprite, '/w/tree')).toBe(before);
    expect(await sh(sprite, 'cat /w/other; ls -A /w; du -m /w/tree/sparse | cut -f1')).toMatch(
      /^other\nother\ntree\n[01]\n$/,
    );
    expect((await sprite.listSessions()).length).toBe(1);
    session.kill();
  });

  it('can be undone', async () => {
    await sh(sprite, 'echo mine > /w/tree/a/1');
    await restore(sprite, 'v1', ['/w/tree/a/1']);
    expect(await sh(sprite, 'cat /w/tree/a/1')).toBe('1\n');
    const all = await sprite.listCheckpoints({ includeAuto: true });
    const undo = all.find(({ isAuto }) => isAuto)?.id ?? '';
    await restore(sprite, undo, ['/w/tree/a/1']);
    expect(await sh(sprite, 'cat /w/tree/a/1')).toBe('mine\n');
  });

  it('brings back files of the image, and the directories above that are gone', async () => {
    await sh(sprite, 'sudo rm -r /usr/bin/tac /usr/share/doc /w/tree');
    await restore(sprite, 'v1', ['/usr/bin/tac', '/w/tree/a/b/hard']);
    expect(await sh(sprite, 'echo ok | tac; cat /w/tree/a/b/hard; stat -c "%a %U" /w/tree/a')).toBe(
      'ok\n1\n751 sprite\n',
    );
    await restore(sprite, 'v1', ['/w/tree']);
    expect(await describeTree(sprite, '/w/tree')).toBe(before);
  });

  it('removes what was not there only when asked to, and changes nothing when one path is refused', async () => {
    await sh(sprite, 'mkdir -p /w/late/deep; echo changed > /w/tree/a/1');
    const refused = await failure(restore(sprite, 'v1', ['/w/tree/a/1', '/w/late']));
    expect(refused).toMatchObject({
      errorCode: 'path_not_found',
      message: expect.stringContaining('/w/late'),
    });
    expect(await sh(sprite, 'cat /w/tree/a/1; ls -d /w/late')).toBe('changed\n/w/late\n');
    expect(await restore(sprite, 'v1', ['/w/tree/a/1', '/w/late'], true)).toBe('1 restored, 1 removed');
    expect(await sh(sprite, 'cat /w/tree/a/1; ls /w')).toBe('1\nother\ntree\n');
  });

  it('does not follow links that stand in the way, and keeps to its disk', async () => {
    await sh(sprite, 'cd /w; mv tree real; mkdir /tmp/trap; ln -s /tmp/trap tree');
    expect(await failure(restore(sprite, 'v1', ['/w/tree/a/1']))).toMatchObject({
      errorCode: 'invalid_request',
    });
    expect(await sh(sprite, 'ls -A /tmp/trap')).toBe('');
    await restore(sprite, 'v1', ['/w/tree']);
    expect(await describeTree(sprite, '/w/tree')).toBe(before);
    expect(await sh(sprite, 'ls -A /tmp/trap')).toBe('');
    for (const path of ['/', '/proc/1', '/.sprite/bin', '/dev']) {
      expect(await failure(restore(sprite, 'v1', [path]))).toMatchObject({ errorCode: 'invalid_request' });
    }
    for (const path of ['w', '/w/../etc', '/a\0b']) {
      expect(await failure(sprite.restorePaths('v1', [path]))).toMatchObject({ statusCode: 400 });
    }
    expect(await failure(sprite.restorePaths('v9', ['/w']))).toMatchObject({ statusCode: 404 });
  });

  it('stands against a program that moves things under it', async () => {
    const racer = sprite.spawn(
      'sh',
      [
        '-c',
        'cd /w; while :; do mv tree t2 && ln -s /tmp/trap tree && rm tree && mv t2 tree; done 2> /dev/null',
      ],
      { stdin: false },
    );
    racer.on('error', () => undefined);
    for (let round = 0; round < 3; round++)
      await restore(sprite, 'v1', ['/w/tree/a/b']).catch(() => undefined);
    racer.kill();
    expect(await sh(sprite, 'ls -A /tmp/trap')).toBe('');
  });

  it('wakes a cold sprite, and is there on the command line', async () => {
    await sh(sprite, 'sudo rm -rf /w/t* ');
    await sprite.sleep({ to: 'cold' });
    const cli = await CommandLine.openFor(testServer());
    onTestFinished(() => cli.close());
    const run = (...args: readonly string[]) => cli.run(['restore', '-s', sprite.name, ...args]);
    const done = await run('v1', '--', '/w/tree');
    expect(done).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/saved it as auto-.*✓ \d+ restored, 0 removed from v1/s),
    });
    expect(await describeTree(sprite, '/w/tree')).toBe(before);
    for (const args of [
      ['v1', 'relative'],
      ['v1', '--remove'],
    ])
      expect((await run(...args)).code).toBe(2);
  });
});

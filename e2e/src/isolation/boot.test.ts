import { readdir } from 'node:fs/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asRoot } from './inside.ts';

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_DISK_GB: '1' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

afterAll(async () => {
  await server?.close();
});

async function expectStarts(sprite: Sprite): Promise<void> {
  await sprite.restart();
  const signal = AbortSignal.timeout(30_000);
  expect((await sprite.execFile('/bin/echo', ['up'], { cwd: '/', signal })).stdout).toBe('up\n');
}

describe('a sprite whose root spoils the next start', () => {
  it('by links in place of the mount points starts with directories there, time after time', async () => {
    const sprite = await client.createSprite('mount-points');
    const etc = await readdir('/etc');
    for (let round = 0; round < 2; round++) {
      const { exitCode, said } = await asRoot(
        sprite,
        `cd / && umount -l /.sprite /sys /dev/mqueue && rm -rf /sys /.sprite && ln -s /etc /sys && ln -s ../../../etc /.sprite && sync`,
      );
      expect(exitCode, said).toBe(0);
      await expectStarts(sprite);
    }
    const { stdout } = await sprite.execFile('sh', ['-c', 'test -d /sys/class && ls -A /.sprite']);
    expect(stdout).toContain('machine.json');
    expect(await readdir('/etc')).toEqual(etc);
  });

  it('by full directories in place of its names starts with names', async () => {
    const sprite = await client.createSprite('names');
    for (let round = 0; round < 2; round++) {
      await asRoot(
        sprite,
        'cd /etc; for n in hostname hosts resolv.conf; do rm -rf $n; mkdir -p $n/full; done; sync',
      );
      await expectStarts(sprite);
    }
    expect((await sprite.execFile('cat', ['/etc/hostname'])).stdout).toBe('names\n');
  });

  it('by a full disk with none of these files left starts, and can be cleaned up', async () => {
    const sprite = await client.createSprite('full');
    await asRoot(
      sprite,
      'head -c 2G /dev/zero >/big; rm -rf /etc/hostname /etc/hosts /etc/resolv.conf; head -c 2G /dev/zero >/bigger; for i in $(seq 200); do echo x >>/small || break; done; sync',
    );
    await expectStarts(sprite);
    await sprite.execFile('sudo', ['rm', '-f', '/big', '/bigger']);
    await expectStarts(sprite);
    expect((await sprite.execFile('cat', ['/etc/hostname'])).stdout).toBe('full\n');
  });

  it('by libraries that every program must load starts all the same', async () => {
    const sprite = await client.createSprite('preload');
    await asRoot(sprite, 'echo not a library >/lib/bad.so; echo /lib/bad.so >/etc/ld.so.preload; sync');
    await expectStarts(sprite);
  });
});

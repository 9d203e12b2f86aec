import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asRoot } from '../isolation/inside.ts';
import { uniqueName } from '../server.ts';
import { sh } from './tree.ts';

const at = '/.sprite/checkpoints';

describe('checkpoints inside the sprite', () => {
  let server: TestServer;
  let sprite: Sprite;

  beforeAll(async () => {
    server = await startTestServer();
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    sprite = await client.createSprite(uniqueName('inside'));
  });
  // Closing throws when anything is left in the kernel.
  afterAll(async () => {
    await server?.close();
  });

  function listed(): Promise<string> {
    return sh(sprite, `ls ${at}`);
  }

  it('are the last five, each the whole tree as it was, without a restart', async () => {
    expect(await listed()).toBe('');
    for (let round = 1; round <= 6; round++) {
      await sh(
        sprite,
        `echo ${round} > number; sudo sh -c 'echo ${round} > /etc/numbered; chmod 600 /etc/numbered'`,
      );
      await sprite.checkpoint();
    }
    await sh(sprite, 'echo now > number; sudo rm /usr/bin/tac');
    await expect.poll(listed).toBe('v2\nv3\nv4\nv5\nv6\n');
    expect(await sh(sprite, `cat ${at}/v?/home/sprite/number; sudo cat ${at}/v3/etc/numbered`)).toBe(
      '2\n3\n4\n5\n6\n3\n',
    );
    expect(
      await sh(
        sprite,
        `stat -c '%U %a' ${at}/v2/home/sprite/number ${at}/v2/etc/numbered; ls ${at}/v2/usr/bin/tac`,
      ),
    ).toBe(`sprite 644\nroot 600\n${at}/v2/usr/bin/tac\n`);
    expect(await sh(sprite, `cat ${at}/v2/etc/numbered 2>&1 || true`)).toContain('Permission denied');
  });

  it('go when they are deleted, and come back with the next machine', async () => {
    await sprite.deleteCheckpoint('v4');
    expect(await listed()).toBe('v1\nv2\nv3\nv5\nv6\n');
    await sprite.restore('v2');
    await expect.poll(listed).toBe('v1\nv2\nv3\nv5\nv6\n');
    expect(await sh(sprite, `cat ${at}/v6/home/sprite/number number`)).toBe('6\n2\n');
  });

  it('give root inside no way to write, or to what is not its own', async () => {
    const tries = [
      `echo x > ${at}/v6/home/sprite/number`,
      `rm ${at}/v6/home/sprite/number`,
      `mount -o remount,rw ${at}/v6`,
      `mount -o remount,bind,rw ${at}/v6 && echo x > ${at}/v6/x`,
      `mkdir ${at}/v9`,
      `rmdir ${at}/v6`,
      `mount -o remount,rw ${at} && mkdir ${at}/v9`,
      `chmod 777 ${at}`,
      `ls ${at}/v6/../../../../../run/sprites`,
      `cp /usr/bin/id /tmp/id && mount -t overlay overlay -o lowerdir=${at}/v6,upperdir=${at}/v5,workdir=${at}/v3 /mnt`,
    ];
    for (const line of tries) expect((await asRoot(sprite, line)).exitCode, line).not.toBe(0);
    expect(await sh(sprite, `cat ${at}/v6/home/sprite/number`)).toBe('6\n');
    const other = await sprite.client.createSprite(uniqueName('other'));
    expect(await sh(other, `ls -A ${at}`)).toBe('');
    await other.delete();
  });

  it('survive the death of the server, open ones all along', async () => {
    const reader = sprite.spawn(
      'sh',
      ['-c', `cd ${at}/v5/home && echo $$ > /tmp/reader && cat sprite/number && exec sleep 1000`],
      {
        detachable: true,
        stdin: false,
      },
    );
    await new Promise((resolve) => reader.stdout.once('data', resolve));
    reader.on('error', () => undefined);
    // one that looks while there is nobody to answer waits, and is not killed
    await sh(sprite, `(sleep 1; cat ${at}/v1/home/sprite/number; echo $? > /tmp/waited) > /dev/null 2>&1 &`);
    await server.kill9();
    await sleep(1500);
    await server.restart();
    await expect.poll(() => sh(sprite, 'cat /tmp/waited || true')).toMatch(/^[01]\n$/);
    await expect.poll(listed).toBe('v1\nv2\nv3\nv5\nv6\n');
    expect(await sh(sprite, `cat ${at}/v?/home/sprite/number`)).toBe('1\n2\n3\n5\n6\n');
    expect(await sh(sprite, `cat /proc/$(cat /tmp/reader)/cwd/sprite/number`)).toBe('5\n');
    await sprite.checkpoint();
    await expect.poll(listed).toBe('v2\nv3\nv5\nv6\nv7\n');
  });

  it('hold nothing once the sprite is erased, even as they are read', async () => {
    const reader = sprite.spawn('sh', ['-c', `cd ${at}/v6/home && echo up && sleep 1000`], { stdin: false });
    reader.on('error', () => undefined);
    await new Promise((resolve) => reader.stdout.once('data', resolve));
    await sprite.delete();
    const mounts = async (): Promise<boolean> =>
      (await readFile('/proc/self/mountinfo', 'utf8')).includes(
        path.join(server.runDir, 'machines', sprite.info?.id ?? '?'),
      );
    await expect.poll(mounts, { timeout: 20_000 }).toBe(false);
  });
});

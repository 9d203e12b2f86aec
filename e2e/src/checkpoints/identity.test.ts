import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

/** Stands in for OpenSSH's where the image has none: makes the keys that are missing. */
const keygen = `#!/bin/sh
[ "$1" = -A ] || exit 1
for kind in rsa ed25519; do
  key=/etc/ssh/ssh_host_\${kind}_key
  [ -e $key ] || { head -c 32 /dev/urandom | base64 > $key; chmod 600 $key; echo "public of $(cat $key)" > $key.pub; }
done`;

describe('the identity of a fork', () => {
  let sprite: Sprite;
  const made: Sprite[] = [];

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('identity'));
    await sprite.execFile(
      'sudo',
      [
        'sh',
        '-c',
        `mkdir -p /etc/ssh; [ -x /usr/bin/ssh-keygen ] || { cat > /usr/bin/ssh-keygen; chmod 755 /usr/bin/ssh-keygen; }; ssh-keygen -A; sync`,
      ],
      { input: keygen },
    );
    await sprite.checkpoint();
  });
  afterAll(async () => {
    await Promise.all([sprite, ...made].map((one) => one?.delete()));
  });

  const keysOf = (one: Sprite): Promise<string> => sh(one, 'sudo sh -c "cat /etc/ssh/ssh_host_*_key"');

  it('is its own in every one of ten that are made at once: name, machine id, host keys', async () => {
    const before = await keysOf(sprite);
    const copies = await Promise.all(
      Array.from({ length: 10 }, () => sprite.fork(uniqueName('fork'), { checkpoint: 'v1' })),
    );
    made.push(...copies);
    const keys = await Promise.all(
      copies.map((copy) =>
        expect
          .poll(() => keysOf(copy).catch(() => ''), { timeout: 30_000 })
          .not.toBe('')
          .then(() => keysOf(copy)),
      ),
    );
    expect(new Set([before, ...keys]).size).toBe(11);
    const ids = await Promise.all([sprite, ...copies].map((one) => sh(one, 'cat /etc/machine-id; hostname')));
    expect(new Set(ids).size).toBe(11);
    expect(await sh(copies[0] ?? sprite, 'ls /etc/ssh | grep wanted || echo none')).toBe('none\n');
  }, 120_000);

  it('stays what it is over restarts and restores, as the origin’s does', async () => {
    for (const one of [sprite, made[0] ?? sprite]) {
      const before = await keysOf(one);
      await one.restart();
      expect(await keysOf(one)).toBe(before);
    }
    const before = await keysOf(sprite);
    await sprite.restore('v1');
    expect(await keysOf(sprite)).toBe(before);
  }, 120_000);
});

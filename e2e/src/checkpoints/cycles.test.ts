import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer } from '@sprites/testkit';
import { describe, expect, it } from 'vitest';
import { resourcesOf } from './host-traces.ts';
import { sh } from './tree.ts';

const cycles = 1000;
const atOnce = 4;
/** What the server keeps of every sprite has been used once by then. */
const warmUpCycles = 100;
/** What comes and goes by itself: connections that are kept, threads of the runtime, memory. One lost per cycle is far more. */
const slack: Readonly<Record<string, number>> = { fds: 50, threads: 8, residentMb: 80 };

const hash = `cd ~/tree && { find . -printf '%p|%y|%m|%T@|%l|%n\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum`;

/** Saves, changes, restores and compares, and removes what it saved the time before. */
async function cycle(sprite: Sprite, number: number): Promise<void> {
  const before = await sh(
    sprite,
    `echo ${number} > ~/tree/number && head -c 50000 /dev/urandom > ~/tree/noise && ${hash}`,
  );
  const { id } = await sprite.checkpoint();
  await sh(sprite, 'echo changed > ~/tree/number; rm ~/tree/noise; echo more > ~/tree/more');
  await sprite.restore(id);
  expect(await sh(sprite, hash), `cycle ${number}`).toBe(before);
  for (const old of await sprite.listCheckpoints({ includeAuto: true })) {
    if (old.id !== 'Current' && old.id !== id) await sprite.deleteCheckpoint(old.id);
  }
}

describe('checkpoint and restore', () => {
  it(`${cycles} times make no difference, and nothing of the host is used up`, async () => {
    await using server = await startTestServer({ settings: { SPRITES_READY_MACHINES: '0' } });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const sprites = await Promise.all(
      Array.from({ length: atOnce }, (_, index) => client.createSprite(`cycle-${index}`)),
    );
    for (const sprite of sprites)
      await sh(sprite, 'mkdir ~/tree && cd ~/tree && ln -s x link && echo one > one && ln one two');
    const run = async (count: number): Promise<void> => {
      await Promise.all(
        sprites.map(async (sprite, index) => {
          for (let number = index; number < count; number += atOnce) await cycle(sprite, number);
        }),
      );
    };
    await run(warmUpCycles);
    const before = await resourcesOf(server);
    await run(cycles - warmUpCycles);
    const after = await resourcesOf(server);
    console.log('resources', before, '->', after);
    for (const [what, count] of Object.entries(after)) {
      const most = (before[what] ?? 0) + (slack[what] ?? 0);
      expect(count, what).toBeLessThanOrEqual(most);
    }
  }, 1_800_000);
});

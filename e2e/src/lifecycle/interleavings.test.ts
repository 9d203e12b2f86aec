import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const spriteCount = 5;
const stepsPerSprite = 100;

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_WARM_AFTER_S: '1', SPRITES_COLD_AFTER_S: '1' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
}, 120_000);

// Closing throws when anything is left in the kernel.
afterAll(async () => {
  await server?.close();
}, 120_000);

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Counts how often each sprite was put to sleep by hand: only that may cut what goes on in it. */
class Meddler {
  readonly #sprite: Sprite;
  #begun = 0;
  #done = 0;

  constructor(sprite: Sprite) {
    this.#sprite = sprite;
  }

  /** Runs a command; it is answered in full, unless the sprite was put to sleep by hand meanwhile. */
  async exec(step: number): Promise<void> {
    await this.#unlessForced(async () => {
      const { stdout } = await this.#sprite.execFile('sh', ['-c', `sleep 0.0${step % 5}; echo ${step}`]);
      expect(stdout).toBe(`${step}\n`);
    });
  }

  /** Asks the program inside what only it can tell. */
  async ask(): Promise<void> {
    await this.#unlessForced(async () => {
      expect(await this.#sprite.listSessions()).toBeInstanceOf(Array);
    });
  }

  async #unlessForced(work: () => Promise<void>): Promise<void> {
    const doneBefore = this.#done;
    try {
      await work();
    } catch (error) {
      if (this.#begun === doneBefore) throw error;
      expect(String(error)).toMatch(/put to sleep|stopped|broke off|closed|ended/);
    }
  }

  async force(to: 'warm' | 'cold'): Promise<void> {
    this.#begun++;
    await this.#sprite.sleep({ to });
    this.#done++;
  }
}

/** One of what may happen at any time, waited for or not. */
async function act(sprite: Sprite, meddler: Meddler, step: number): Promise<void> {
  const choice = Math.random();
  if (choice < 0.5) return meddler.exec(step);
  if (choice < 0.55) return meddler.ask();
  // around the edge of the idle window, when the sprite falls asleep or goes cold at any moment
  if (choice < 0.68) return pause(850 + Math.random() * 500);
  if (choice < 0.78) return meddler.force('warm');
  if (choice < 0.8) return meddler.force('cold');
  if (choice < 0.86) await sprite.wake();
  else if (choice < 0.92) await sprite.checkpoint();
  else if (choice < 0.96) await meddler.ask();
  else await client.getSprite(sprite.name);
}

async function run(name: string): Promise<void> {
  const sprite = await client.createSprite(name);
  const meddler = new Meddler(sprite);
  const pending: Promise<void>[] = [];
  for (let step = 0; step < stepsPerSprite; step++) {
    const acting = act(sprite, meddler, step);
    pending.push(acting);
    // a failure is told at the end; until then nobody waits for it
    acting.catch(() => undefined);
    if (Math.random() < 0.7) await acting.catch(() => undefined);
  }
  const results = await Promise.allSettled(pending);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  expect(failures, name).toEqual([]);
  expect((await sprite.execFile('echo', ['still there'])).stdout).toBe('still there\n');
  const status = async (): Promise<string | undefined> => (await client.getSprite(name)).status;
  await expect.poll(status, { timeout: 20_000 }).toBe('cold');
}

describe('500 random steps on real sprites', () => {
  it('lose no request and leave no sprite stuck', { timeout: 300_000 }, async () => {
    await Promise.all(Array.from({ length: spriteCount }, (_, i) => run(`any-${i}`)));
  });
});

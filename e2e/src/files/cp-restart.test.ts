import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';

const size = 256 * 1024 * 1024;

describe('sprite cp, when the server is killed and started again meanwhile', () => {
  let server: TestServer;
  let cli: CommandLine;
  let sprite: Sprite;

  beforeAll(async () => {
    server = await startTestServer();
    cli = await CommandLine.openFor({ baseURL: server.baseUrl, token: server.token });
    sprite = await new SpritesClient(server.token, { baseURL: server.baseUrl }).createSprite('cp-restart');
  });
  // Closing throws when anything is left in the kernel.
  afterAll(async () => {
    await cli?.close();
    await server?.close();
  }, 120_000);

  it('goes on by itself, in and out', async () => {
    const content = randomBytes(size);
    await writeFile(path.join(cli.home, 'in'), content);
    const inside = async (): Promise<number> =>
      (await sprite.filesystem().list('.', { pattern: '.in.*' }))[0]?.size ?? 0;
    const outside = async (): Promise<number> => {
      const part = (await readdir(cli.home)).find((name) => name.startsWith('.out.'));
      return part === undefined ? 0 : (await stat(path.join(cli.home, part))).size;
    };
    for (const [args, progress] of [
      [['in', 'cp-restart:in'], inside],
      [['cp-restart:in', 'out'], outside],
    ] as const) {
      const { code, stderr } = await cli.run(['cp', ...args], {
        during: async () => {
          await expect.poll(progress, { interval: 5, timeout: 20_000 }).toBeGreaterThan(0);
          expect(await progress()).toBeLessThan(size);
          await server.kill9();
          await server.restart();
        },
      });
      expect([code, stderr]).toEqual([0, '']);
    }
    expect((await readFile(path.join(cli.home, 'out'))).equals(content)).toBe(true);
  }, 120_000);
});

import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let dir: string;
let server: TestServer;
let sprite: Sprite;

/** A runtime that does as the file beside it says with the command it names, and else what it should. */
const wrapper = (folder: string): string => `#!/bin/sh
real=$(PATH=\${PATH#*:} command -v runc)
if [ -f ${folder}/fault ]; then
  read -r command fault <${folder}/fault
  case " $* " in *" $command "*) eval "$fault" ;; esac
fi
exec "$real" "$@"
`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'runtime-'));
  await writeFile(join(dir, 'runc'), wrapper(dir));
  await chmod(join(dir, 'runc'), 0o755);
  server = await startTestServer({
    settings: { PATH: `${dir}:${process.env.PATH}`, SPRITES_WAKE_TIMEOUT_S: '6' },
  });
  sprite = await new SpritesClient(server.token, { baseURL: server.baseUrl }).createSprite('demo');
});

afterAll(async () => {
  await server?.close();
  await rm(dir, { recursive: true, force: true });
});

async function failure(fault: string): Promise<unknown> {
  await writeFile(join(dir, 'fault'), `create ${fault}\n`);
  const outcome = await sprite.execFile('true').catch((error: unknown) => error);
  await rm(join(dir, 'fault'));
  return outcome;
}

/** Command lines of processes that have this word in them. */
async function processesWith(word: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(word));
}

describe('a runtime', () => {
  it.each([
    [
      'that hangs before it makes the machine',
      'sleep 987654; exit',
      /did not create the machine within 4.8 s and was killed/,
    ],
    [
      'that hangs when it has made the machine',
      '"$real" "$@"; sleep 987654; exit',
      /within 4.8 s and was killed/,
    ],
    ['that fails', 'exit 3', /could not create the machine/],
  ])('%s is told of, leaves nothing, and the next wake works', async (_, fault, message) => {
    expect(await failure(fault)).toMatchObject({
      errorCode: 'wake_failed',
      message: expect.stringMatching(message),
    });
    expect(await processesWith('987654')).toEqual([]);
    expect(await readdir(join(server.runDir, 'machines'))).toEqual([]);
    expect((await sprite.execFile('echo', ['up'])).stdout).toBe('up\n');
    // stops the machine, so that the next wake is a cold one
    await sprite.upgrade();
  });
});

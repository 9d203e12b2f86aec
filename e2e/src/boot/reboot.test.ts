import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpritesClient } from '@sprites/sdk';
import { findLeaks, ownerOf, startTestServer, sweep, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_READY_MACHINES: '1' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

afterAll(async () => {
  await server?.close();
});

/** What a boot of the host leaves of a server: its data, and nothing in the kernel or in /run. */
async function reboot({ keepsRun }: { readonly keepsRun: boolean }): Promise<void> {
  const states = keepsRun ? await readStates() : [];
  await server.kill9();
  expect(await sweep(ownerOf(server.dataDir))).toEqual([]);
  expect(await findLeaks(ownerOf(server.dataDir))).toEqual([]);
  await rm(server.runDir, { recursive: true, force: true });
  // on hosts whose /run is a disk, the machines of the last boot are still written down there
  for (const { id, text } of states) {
    const dir = join(server.runDir, 'machines', id);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'state.json'), text);
  }
  await server.restart();
}

async function readStates(): Promise<readonly { readonly id: string; readonly text: string }[]> {
  const dir = join(server.runDir, 'machines');
  return Promise.all(
    (await readdir(dir)).map(async (id) => {
      const state: unknown = JSON.parse(await readFile(join(dir, id, 'state.json'), 'utf8'));
      // numbers begin anew with a boot, so that another process may well have the number of the machine's first one
      const init = { pid: process.pid, startTicks: await startTicks(process.pid) };
      const bootId = '00000000-0000-0000-0000-000000000000';
      return { id, text: JSON.stringify({ ...Object(state), init, bootId }) };
    }),
  );
}

async function startTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]);
}

describe('after a restart of the host', () => {
  it.each([
    ['all sprites are cold and wake with everything on their disks', false],
    ['processes that got the numbers of machines are not taken for them', true],
  ])(
    '%s',
    async (_, keepsRun) => {
      const names = [1, 2].map((number) => `boot-${number}-${keepsRun}`);
      for (const name of names) {
        const sprite = await client.createSprite(name);
        await sprite.execFile('sh', ['-c', `echo ${name} >file; sync; sleep 300 >/dev/null 2>&1 &`]);
        if (name === names[1]) await (await sprite.createCheckpoint()).processAll(() => {});
      }
      await reboot({ keepsRun });
      const found = await client.listAllSprites();
      expect(found.map(({ status }) => status)).toEqual(found.map(() => 'cold'));
      for (const name of names) {
        const { stdout } = await client
          .sprite(name)
          .execFile('sh', [
            '-c',
            'cat file; hostname; pgrep -x sleep; cat /etc/resolv.conf | grep -c nameserver',
          ]);
        expect(stdout).toBe(`${name}\n${name}\n1\n`);
      }
      expect((await client.sprite(names[1] ?? '').listCheckpoints()).map(({ id }) => id)).toContain('v1');
    },
    120_000,
  );
});

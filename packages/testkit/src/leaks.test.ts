import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { diffHost, findLeaks, snapshotHost } from './leaks.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function processIn(folder: string): Promise<number> {
  const child = spawn('sleep', ['60'], { cwd: folder });
  await new Promise((resolve) => child.once('spawn', resolve));
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  });
  return child.pid ?? 0;
}

describe('leak checks', () => {
  it('find a process that still stands in a directory of the owner', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'leaks-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    expect(await findLeaks({ folders: [folder] })).toEqual([]);
    const pid = await processIn(folder);
    expect(await findLeaks({ folders: [folder] })).toEqual([
      expect.stringContaining(`process ${pid} sleep 60 (in ${folder} ,`),
    ]);
  });

  it('do not take a directory whose name begins the same for the owner’s', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'leaks-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    await processIn(folder);
    expect(await findLeaks({ folders: [folder.slice(0, -1)] })).toEqual([]);
  });

  it('tell what is new on the host', async () => {
    const before = await snapshotHost();
    const pid = await processIn('/');
    expect(diffHost(before, await snapshotHost())).toContainEqual(
      expect.stringContaining(`process ${pid} sleep 60 (in / ,`),
    );
  });
});

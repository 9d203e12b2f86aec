import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isAttached } from '@sprites/linux';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOciFixture, createOciWorld, type OciFixture, type OciWorld } from './fixture.ts';

const run = promisify(execFile);
const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

let world: OciWorld;

beforeAll(async () => {
  world = await createOciWorld();
});

afterAll(() => world[Symbol.asyncDispose]());

async function startedFixture(): Promise<OciFixture & { readonly id: string; readonly diskFile: string }> {
  const fixture = await createOciFixture(world);
  const { spriteId: id, diskFile } = await fixture.spec(1);
  await fixture.driver.start(await fixture.spec(1), async () => undefined, within(20_000));
  return { ...fixture, id, diskFile };
}

/** Starts a program in the machine that writes and syncs numbered lines and counts them in `globalThis.synced`. */
const startWriter = `
  const fs = require('node:fs');
  const fd = fs.openSync('/home/sprite/log', 'a');
  globalThis.synced = 0;
  const write = () => fs.write(fd, (globalThis.synced + 1) + '\\n', () => fs.fsync(fd, () => { globalThis.synced++; write(); }));
  write();`;

async function readSynced(f: OciFixture & { readonly id: string }): Promise<number> {
  return Number(await f.evaluate(f.id, 'return globalThis.synced'));
}

/** A server in a process of its own that dies while the disk stands still. */
async function dieWhileQuiescing(f: OciFixture & { readonly id: string }): Promise<void> {
  const code = `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { openOciDriver } from ${JSON.stringify(new URL('./driver.ts', import.meta.url).href)};
    const driver = await openOciDriver({ ...${JSON.stringify(f.options)}, clock: { now: Date.now, sleep } });
    await driver.quiesce(${JSON.stringify(f.id)}, async () => process.kill(process.pid, 'SIGKILL'));
  `;
  const server = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const [, exitSignal] = await once(server, 'exit');
  expect(exitSignal).toBe('SIGKILL');
}

describe('the disk of a running machine', () => {
  it('stands still as a whole file system with all synced data, while the programs go on', async () => {
    await using f = await startedFixture();
    await f.evaluate(f.id, startWriter);
    for (let n = 1; n <= 3; n++) {
      await sleep(50);
      const copy = join(world.dir, `copy${n}`);
      const before = await readSynced(f);
      const [first, second] = await f.driver.quiesce(f.id, async () => {
        const readings = [await readSynced(f)];
        await run('cp', ['--sparse=always', f.diskFile, copy]);
        return [...readings, await readSynced(f)];
      });
      expect(second).toBeLessThanOrEqual((first ?? 0) + 1);
      await run('e2fsck', ['-fn', copy]);
      const { stdout } = await run('debugfs', ['-R', 'cat /upper/home/sprite/log', copy]);
      expect(stdout.split('\n').length - 1).toBeGreaterThanOrEqual(before);
      await rm(copy);
      await expect.poll(() => readSynced(f)).toBeGreaterThan(second ?? 0);
    }
  });

  it('moves again when the server was killed while it stood still', async () => {
    await using f = await startedFixture();
    await f.evaluate(f.id, startWriter);
    await dieWhileQuiescing(f);
    const stuck = await readSynced(f);
    await (await f.reopen()).repair();
    await expect.poll(() => readSynced(f)).toBeGreaterThan(stuck + 1);
  });

  it('is given back by a stop although the killed server left it standing still', async () => {
    await using f = await startedFixture();
    await f.evaluate(f.id, startWriter);
    await dieWhileQuiescing(f);
    await (await f.reopen()).stop(f.id);
    expect(await isAttached(f.diskFile)).toBe(false);
    await run('e2fsck', ['-fn', f.diskFile]);
  });

  it('can be copied when the machine has died and was not released yet', async () => {
    await using f = await startedFixture();
    await f.evaluate(f.id, `require('node:fs').writeFileSync('/home/sprite/last', 'words')`);
    await f.evaluate(f.id, 'setTimeout(() => process.exit(0), 5)');
    await f.driver.exited(f.id, within(10_000));
    const copy = join(world.dir, 'copy');
    await f.driver.quiesce(f.id, () => run('cp', ['--sparse=always', f.diskFile, copy]));
    const { stdout } = await run('debugfs', ['-R', 'cat /upper/home/sprite/last', copy]);
    await rm(copy);
    expect(stdout).toBe('words');
  });
});

describe('DiskQuiescence', () => {
  it('gets through many disks at once', async () => {
    await using f = await createOciFixture(world);
    const specs = await Promise.all([1, 2, 3, 4, 5].map((n) => f.spec(n)));
    await Promise.all(specs.map((spec) => f.driver.start(spec, async () => undefined, within(30_000))));
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
    };
    await Promise.all(specs.map((spec) => f.driver.quiesce(spec.spriteId, work)));
    expect(running).toBe(0);
    expect(most).toBeLessThanOrEqual(2);
  });
});

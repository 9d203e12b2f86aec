import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isAttached, listMounts } from '@sprites/linux';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DriverFixture, describeDriver } from '../conformance.ts';
import { createOciFixture, createOciWorld, type OciFixture, type OciWorld } from './fixture.ts';
import type { RuntimeName } from './runtime.ts';

const run = promisify(execFile);
const plugNothing = async (): Promise<void> => undefined;
const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

let world: OciWorld;

beforeAll(async () => {
  world = await createOciWorld();
});

afterAll(() => world[Symbol.asyncDispose]());

describeDriver('OciDriver with runc', () => createDriverFixture('runc'));
describeDriver('OciDriver with crun', () => createDriverFixture('crun'));

async function createDriverFixture(runtime: RuntimeName): Promise<DriverFixture> {
  const fixture = await createOciFixture(world, runtime);
  return {
    driver: fixture.driver,
    spec: fixture.spec,
    die: async (spriteId) => {
      await fixture.evaluate(spriteId, 'setTimeout(() => process.exit(0), 5)');
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

async function startedFixture(): Promise<OciFixture & { readonly id: string }> {
  const fixture = await createOciFixture(world);
  const spec = await fixture.spec(1);
  await fixture.driver.start(spec, plugNothing, within(20_000));
  return { ...fixture, id: spec.spriteId };
}

describe('OciDriver', () => {
  it('keeps files over a stop and tells the machine who it is', async () => {
    await using f = await startedFixture();
    await f.evaluate(
      f.id,
      `return sh('echo kept > /home/sprite/file; chown 1000:1000 /home/sprite/file; sync')`,
    );
    await f.driver.stop(f.id);
    await f.driver.start({ ...(await f.spec(1)), incarnation: 2 }, plugNothing, within(20_000));
    const { output } = shell(
      await f.evaluate(
        f.id,
        `return sh('cat /home/sprite/file; stat -c %u /home/sprite/file; cat /etc/hostname; cat /.sprite/machine.json')`,
      ),
    );
    const [content, owner, hostname, facts = ''] = output.split('\n');
    expect([content, owner, hostname]).toEqual(['kept', '1000', 'box-1']);
    expect(JSON.parse(facts)).toEqual({
      name: 'box-1',
      sprite_id: f.id,
      incarnation: 2,
      environment: { GREETING: 'hello' },
      version: '0.0.0',
    });
  });

  it('gives a machine of the pool its name everywhere, and the host keeps its own', async () => {
    await using f = await createOciFixture(world);
    const spec = await f.spec(1);
    const hostName = await readFile('/proc/sys/kernel/hostname', 'utf8');
    await f.driver.start({ ...spec, hostname: undefined, environment: {} }, plugNothing, within(20_000));
    const look = `return sh('cat /proc/sys/kernel/hostname /etc/hostname; cat /etc/hosts; echo; cat /.sprite/machine.json')`;
    const before = shell(await f.evaluate(spec.spriteId, look)).output;
    expect(before).not.toContain('box-1');
    const machineId = shell(await f.evaluate(spec.spriteId, `return sh('cat /etc/machine-id')`)).output;
    await f.driver.name({ ...spec, hostname: 'box-1' });
    const [kernel, file, ...rest] = shell(await f.evaluate(spec.spriteId, look)).output.split('\n');
    expect([kernel, file]).toEqual(['box-1', 'box-1']);
    expect(rest).toContain('127.0.1.1 box-1');
    expect(JSON.parse(rest.at(-1) ?? '')).toMatchObject({
      name: 'box-1',
      environment: { GREETING: 'hello' },
    });
    expect(machineId).toMatch(/^[0-9a-f]{32}\n$/);
    expect(await readFile('/proc/sys/kernel/hostname', 'utf8')).toBe(hostName);
  });

  it('finds machines again after a restart of the server, and their end', async () => {
    await using f = await startedFixture();
    const later = await f.reopen();
    await later.repair();
    expect(await later.list()).toEqual([{ spriteId: f.id, incarnation: 1, frozen: false }]);
    (await later.dial(f.id, within(5000))).destroy();
    const exited = later.exited(f.id, within(10_000));
    await f.evaluate(f.id, 'setTimeout(() => process.exit(0), 5)');
    await exited;
  });

  it('releases everything of a machine that died while no server ran', async () => {
    await using f = await startedFixture();
    const { diskFile } = await f.spec(1);
    await f.evaluate(f.id, 'setTimeout(() => process.exit(0), 5)');
    await f.driver.exited(f.id, within(10_000));
    const later = await f.reopen();
    await later.repair();
    expect(await listMountsBelow(f.runDir)).toEqual([]);
    expect(await isAttached(diskFile)).toBe(false);
    expect(await readdir(join(f.runDir, 'machines'))).toEqual([]);
  });

  it('holds the machine to its limits', async () => {
    await using f = await startedFixture();
    const answer = await f
      .evaluate(
        f.id,
        `const { spawn } = require('node:child_process');
       const children = Array.from({ length: 300 }, () => spawn('sleep', ['5']).on('error', () => 0));
       await new Promise((resolve) => setTimeout(resolve, 500));
       const failed = children.filter((child) => child.pid === undefined).length;
       for (const child of children) child.kill('SIGKILL');
       return failed;`,
      )
      .catch(String);
    expect(answer).not.toBe(0);
    expect(await f.driver.list()).toHaveLength(1);
  });

  it('boots a sprite whose root has traps where the host writes', async () => {
    await using f = await startedFixture();
    await f.evaluate(
      f.id,
      `return sh('rm -f /etc/hostname /etc/hosts /etc/resolv.conf; ln -s /proc/1/root/etc/x /etc/hostname;' +
         'mkdir /etc/resolv.conf; ln -s ../../../../../../${world.dir}/victim /etc/hosts; mknod /etc/.hosts.sprite-new p; sync')`,
    );
    await writeFile(join(world.dir, 'victim'), 'untouched');
    await f.driver.stop(f.id);
    await f.driver.start(await f.spec(1), plugNothing, within(20_000));
    const { output } = shell(
      await f.evaluate(f.id, `return sh('cat /etc/hostname /etc/resolv.conf /etc/hosts')`),
    );
    expect(output).toContain('nameserver 192.0.2.1');
    expect(output).toMatch(/^box-1\n/);
    expect(await readFile(join(world.dir, 'victim'), 'utf8')).toBe('untouched');
  });

  it('refuses a disk that another machine has mounted', async () => {
    await using f = await startedFixture();
    const spec = { ...(await f.spec(2)), diskFile: (await f.spec(1)).diskFile };
    await expect(f.driver.start(spec, plugNothing, within(20_000))).rejects.toMatchObject({
      code: 'wake_failed',
    });
    expect(await f.driver.list()).toHaveLength(1);
  });

  it('gets the disk back from a program that has copied its mount', async () => {
    await using f = await startedFixture();
    const { diskFile } = await f.spec(1);
    const holder = spawn('unshare', ['--mount', 'sh', '-c', 'echo; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(holder.stdout, 'data');
      await f.driver.stop(f.id);
      expect(await isAttached(diskFile)).toBe(false);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it.each([10, 40, 70, 100, 150, 250])(
    'cleans up after a server that is killed %i ms into a start',
    async (afterMs) => {
      await using f = await createOciFixture(world);
      const spec = await f.spec(1);
      const code = `
        import { setTimeout as sleep } from 'node:timers/promises';
        import { openOciDriver } from ${JSON.stringify(new URL('./driver.ts', import.meta.url).href)};
        const driver = await openOciDriver({ ...${JSON.stringify(f.options)}, clock: { now: Date.now, sleep: (ms, signal) => sleep(ms, undefined, { signal }) } });
        console.log('starting');
        await driver.start(${JSON.stringify(spec)}, () => new Promise(() => setTimeout(() => 0, 60_000)), AbortSignal.timeout(60_000));
      `;
      const server = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(server.stdout, 'data');
      await sleep(afterMs);
      server.kill('SIGKILL');
      await once(server, 'exit');
      const later = await f.reopen();
      await later.repair();
      expect(await later.list()).toEqual([]);
      expect(await listMountsBelow(f.runDir)).toEqual([]);
      expect(await isAttached(spec.diskFile)).toBe(false);
      await later.start(spec, plugNothing, within(20_000));
    },
  );

  it('keeps the raw view of disks from other users of the host', async () => {
    await using f = await startedFixture();
    const look = (path: string): Promise<unknown> =>
      run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'ls', path]);
    await expect(look(join(f.runDir, 'disks'))).rejects.toThrow('Permission denied');
    await expect(look(join(f.runDir, 'machines', f.id, 'root'))).rejects.toThrow('Permission denied');
  });
});

async function listMountsBelow(dir: string): Promise<readonly string[]> {
  const targets = (await listMounts()).map((entry) => entry.target);
  return targets.filter((target) => target.startsWith(`${dir}/`) && !target.startsWith(`${dir}/agents/`));
}

function shell(value: unknown): { readonly output: string } {
  if (typeof value === 'object' && value !== null && 'output' in value && typeof value.output === 'string') {
    return { output: value.output };
  }
  throw new Error(`no shell answer: ${JSON.stringify(value)}`);
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startAgent } from './testing/agent-process.ts';
import { ServiceClient, summary } from './testing/service-client.ts';

const isRoot = process.getuid?.() === 0;

/** A file system of its own of 128 KiB, in memory. */
function mountSmall(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sprites-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', dir]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir]);
    rmdirSync(dir);
  });
  return dir;
}

describe.skipIf(!isRoot)('on a full disk (needs root to make one)', () => {
  it('services are refused before they are half there, can be stopped, and say what was lost', async () => {
    const dir = mountSmall();
    await using agent = await startAgent({
      args: ['--services-dir', `${dir}/services`, '--log-dir', `${dir}/log`],
    });
    const client = new ServiceClient(agent.socketPath);
    await client.shell('old', 'exec sleep 1000');
    const flood = 'yes "$(printf %0100d 1)" | head -c 400000; exec sleep 1000';
    const lost = summary(await client.shell('flood', flood, {}, '1s'));
    expect(lost).toContainEqual(expect.stringMatching(/^error \d+ bytes of output could not be kept/));
    execFileSync('sh', ['-c', `cat /dev/zero > ${dir}/fill 2>/dev/null || true`]);

    expect(await client.ask('PUT', 'services/new', { cmd: 'true' })).toMatchObject({ status: 507 });
    expect(await client.ask('GET', 'services/new')).toMatchObject({ status: 404 });
    const changed = await client.ask('PUT', 'services/old', { cmd: 'false' });
    expect([changed.status, (await client.get('old')).cmd]).toEqual([507, 'sh']);
    const stopped = summary(await client.events('POST', 'services/old/stop'));
    expect(stopped.slice(0, 2)).toEqual(['stopping', 'stopped']);
    expect(stopped[2]).toMatch(/^error old is stopped until the sprite restarts: .* disk is full/);
    expect((await client.get('old')).state.status).toBe('stopped');
    expect(await client.ask('DELETE', 'services/flood')).toMatchObject({ status: 204 });

    rmSync(`${dir}/fill`);
    const again = summary(await client.shell('old', 'echo back; exec sleep 1000', {}, '1s'));
    expect(again).toEqual(['started', 'stdout back', 'complete']);
    await client.ask('DELETE', 'services/old');
  });
});

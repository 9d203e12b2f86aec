import { readdirSync, readFileSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { runOverSocket } from './testing/exec-connection.ts';
import { ServiceClient, summary } from './testing/service-client.ts';

function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1024;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function zombies(parent: number): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isZombieOf(name, parent)).length;
}

function isZombieOf(pid: string, parent: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).startsWith(`Z ${parent} `);
  } catch {
    // it has just ended
    return false;
  }
}

async function untilLogEnds(agent: AgentProcess, name: string, text: string): Promise<void> {
  const path = `${agent.dir}/logs/services/${name}.log`;
  await expect
    .poll(() => readFileSync(path).subarray(-200).toString(), { timeout: 150_000, interval: 100 })
    .toContain(text);
}

describe('a service that floods its log with 1 GB', () => {
  it('costs three files, no memory, and holds up nobody', async () => {
    await using agent = await startAgent({ bundled: true });
    const client = new ServiceClient(agent.socketPath);
    await client.shell('quiet', 'echo quiet; exec sleep 1000');
    const before = residentMb(agent.pid);
    // a client that never reads what it asked for
    const stuck = get({
      socketPath: agent.socketPath,
      path: '/v1/services/flood/logs?duration=1h',
      agent: false,
    });
    stuck.on('response', (response) => response.pause());
    stuck.on('error', () => undefined);
    const line = 'x'.repeat(199);
    await client.shell('flood', `yes ${line} | head -c 1073741824; echo; echo the end; exec sleep 1000`);
    let most = 0;
    const answers = [];
    const flooding = untilLogEnds(agent, 'flood', 'the end').finally(() => stuck.destroy());
    for (let i = 0; i < 30; i++) {
      const { stdout } = await runOverSocket(agent.socketPath, new URLSearchParams({ cmd: 'pwd' }));
      answers.push(stdout !== '');
      most = Math.max(most, residentMb(agent.pid));
    }
    await flooding;
    most = Math.max(most, residentMb(agent.pid));
    expect(answers).toEqual(Array.from({ length: 30 }, () => true));
    expect(most - before).toBeLessThan(64);
    const sizes = ['', '.1', '.2'].map(
      (suffix) => statSync(`${agent.dir}/logs/services/flood.log${suffix}`).size,
    );
    for (const size of sizes) expect(size).toBeLessThan(12 * 1024 * 1024);
    expect(readdirSync(`${agent.dir}/logs/services`).sort()).toEqual([
      'flood.log',
      'flood.log.1',
      'flood.log.2',
      'quiet.log',
    ]);
    const last = await client.events('GET', 'services/flood/logs?lines=2');
    expect(summary(last)).toEqual([expect.stringMatching(/^stdout x*$/), 'stdout the end', 'complete']);
    for (const name of ['flood', 'quiet']) await client.ask('DELETE', `services/${name}`);
  }, 180_000);
});

describe('a service that ends at once', () => {
  it('a hundred times leaves nothing behind in the agent', async () => {
    await using agent = await startAgent({ bundled: true });
    const client = new ServiceClient(agent.socketPath);
    await client.shell('short', 'echo hi; exit 1', {}, '2s');
    await expect.poll(() => zombies(agent.pid)).toBe(0);
    const before = openFiles(agent.pid);
    for (let i = 0; i < 100; i++) await client.events('POST', 'services/short/restart?duration=5s');
    expect((await client.get('short')).state).toMatchObject({ status: 'failed', restart_count: 0 });
    await client.ask('DELETE', 'services/short');
    await expect.poll(() => openFiles(agent.pid), { timeout: 10_000 }).toBeLessThanOrEqual(before);
    expect(zombies(agent.pid)).toBe(0);
    const log = readFileSync(`${agent.dir}/logs/services/short.log`, 'utf8').split('\n');
    expect(log.filter((text) => text.endsWith('] hi')).length).toBeGreaterThanOrEqual(101);
  });

  it('is started again after longer and longer waits', async () => {
    await using agent = await startAgent();
    const client = new ServiceClient(agent.socketPath);
    await client.shell('short', 'exit 1', {}, '5s');
    const waits: number[] = [];
    for (let count = 0; count < 3; count++) {
      await expect
        .poll(async () => (await client.get('short')).state, { timeout: 20_000, interval: 20 })
        .toMatchObject({ restart_count: count, next_restart_at: expect.any(String) });
      const { next_restart_at: next } = (await client.get('short')).state;
      waits.push(Date.parse(next ?? ''));
    }
    const [first = 0, second = 0, third = 0] = waits;
    expect([second - first >= 2000, third - second >= 4000]).toEqual([true, true]);
    await client.ask('DELETE', 'services/short');
  });
});

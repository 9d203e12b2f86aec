import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { type ExecResult, runOverSocket } from './testing/exec-connection.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('commands of a user other than the agent (needs root)', () => {
  let agent: AgentProcess;
  beforeAll(async () => {
    agent = await startAgent({ user: 'daemon' });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  async function run(script: string, fields: Readonly<Record<string, string>> = {}): Promise<ExecResult> {
    const query = new URLSearchParams(fields);
    for (const arg of ['sh', '-c', script]) query.append('cmd', arg);
    return await runOverSocket(agent.socketPath, query);
  }

  it('have its ids and no rights of the agent', async () => {
    const { stdout } = await run('id; grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status | cut -f2 | sort -u');
    expect(stdout).toBe('uid=1(daemon) gid=1(daemon) groups=1(daemon)\n0000000000000000\n');
    const status = await readFile(`/proc/${agent.pid}/status`, 'utf8');
    expect(status).toMatch(/Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0/);
  });

  it('own their pipes and terminal', async () => {
    expect(await run('echo out > /dev/stdout; echo err > /dev/stderr')).toMatchObject({
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect((await run('echo mine > $(tty)', { tty: 'true' })).raw.toString()).toBe('mine\r\n');
  });

  it('have the score of programs, and the agent its own', async () => {
    expect((await run('cat /proc/self/oom_score_adj')).stdout).toBe('500\n');
    expect(await readFile(`/proc/${agent.pid}/oom_score_adj`, 'utf8')).toBe('0\n');
  });

  it('may not enter or run what their user may not', async () => {
    expect(await run('true', { dir: agent.dir })).toMatchObject({
      exitCode: 126,
      stderr: expect.stringContaining('permission denied'),
    });
    expect(await run('true', { path: `${agent.dir}/program` })).toMatchObject({ exitCode: 126 });
  });

  it('may not trace or inspect the agent', async () => {
    expect((await run(`ls /proc/${agent.pid}/fd`)).exitCode).not.toBe(0);
  });
});

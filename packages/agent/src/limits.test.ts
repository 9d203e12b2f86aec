import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { startAgent } from './testing/agent-process.ts';
import { type ExecResult, runOverSocket } from './testing/exec-connection.ts';

const isRoot = process.getuid?.() === 0;

async function run(
  socketPath: string,
  script: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<ExecResult> {
  const query = new URLSearchParams(fields);
  for (const arg of ['sh', '-c', script]) query.append('cmd', arg);
  return await runOverSocket(socketPath, query);
}

describe.skipIf(!isRoot)('a limit of the kernel (needs root to set it)', () => {
  it('on processes refuses a command with the reason, and the agent goes on', async () => {
    await using agent = await startAgent({ user: 'games' });
    execFileSync('prlimit', ['--pid', String(agent.pid), '--nproc=2']);
    const results = await Promise.all(
      Array.from({ length: 4 }, () => run(agent.socketPath, 'exec sleep 0.5')),
    );
    const refused = results.filter(({ exitCode }) => exitCode === 126);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.stderr).toBe('sh: too many processes; end some and try again\n');
    expect(await run(agent.socketPath, 'echo ok')).toMatchObject({ stdout: 'ok\n', exitCode: 0 });
  });

  it('on open files refuses a command with the reason, and the agent goes on', async () => {
    await using agent = await startAgent();
    const open = Number(execFileSync('sh', ['-c', `ls /proc/${agent.pid}/fd | wc -l`]));
    execFileSync('prlimit', ['--pid', String(agent.pid), `--nofile=${open + 2}:4096`]);
    for (const fields of [{}, { tty: 'true' }]) {
      const result = await run(agent.socketPath, 'true', fields);
      expect([result.exitCode, result.raw.includes('too many open files')]).toEqual([126, true]);
    }
    execFileSync('prlimit', ['--pid', String(agent.pid), '--nofile=1000:4096']);
    expect(await run(agent.socketPath, 'echo ok')).toMatchObject({ stdout: 'ok\n', exitCode: 0 });
  });
});

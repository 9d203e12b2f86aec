import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ServiceClient, summary } from './testing/service-client.ts';

let agent: AgentProcess;
let client: ServiceClient;
beforeAll(async () => {
  agent = await startAgent({ machine: { environment: { FROM_SPRITE: 'yes' } } });
  client = new ServiceClient(agent.socketPath);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

const stays = 'exec sleep 1000';

function isAlive(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(String(execFileSync('cat', [`/proc/${pid}/status`])))
  );
}

async function logOf(name: string): Promise<string> {
  return await readFile(`${agent.dir}/logs/services/${name}.log`, 'utf8');
}

describe('a service', () => {
  it('runs with its environment, directory and arguments, and leads a session of its own', async () => {
    const script =
      'echo "$PWD $A $FROM_SPRITE $0"; cut -d" " -f5,6 /proc/$$/stat; echo $$; readlink /proc/$$/fd/0';
    const events = await client.events('PUT', 'services/facts?duration=5s', {
      cmd: 'sh',
      args: ['-c', script, 'zero'],
      env: { A: 'a b' },
      dir: '/tmp',
    });
    const [, place, ids, pid, input] = summary(events).map((line) => line.replace('stdout ', ''));
    expect([place, ids, input]).toEqual(['/tmp a b yes zero', `${pid} ${pid}`, '/dev/null']);
    expect(summary(events).slice(-2)).toEqual(['exit', 'complete']);
  });

  it('is shown as the specification has it', async () => {
    await client.shell('shown', stays, { http_port: 3000, env: { A: '1' } });
    expect(await client.get('shown')).toEqual({
      name: 'shown',
      cmd: 'sh',
      args: ['-c', stays],
      env: { A: '1' },
      needs: [],
      http_port: 3000,
      state: {
        name: 'shown',
        status: 'running',
        pid: expect.any(Number),
        started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        restart_count: 0,
        next_restart_at: null,
        error: '',
      },
    });
    const list = JSON.parse((await client.ask('GET', 'services')).body);
    expect(list.find(({ name }: { name: string }) => name === 'shown')).toMatchObject({ http_port: 3000 });
    await client.ask('DELETE', 'services/shown');
  });

  it('that cannot be started says why, in the stream, the log and its state, and is tried again', async () => {
    const events = await client.events('PUT', 'services/missing?duration=5s', { cmd: '/no/such/program' });
    const reason = 'executable file `/no/such/program` not found: No such file or directory';
    expect(summary(events)).toEqual([`stderr ${reason}`, `error ${reason}`, 'complete']);
    expect(await logOf('missing')).toMatch(/^\S{24} \[stderr\] executable file/);
    expect((await client.get('missing')).state).toMatchObject({
      status: 'failed',
      error: reason,
      next_restart_at: expect.any(String),
    });
    await client.ask('DELETE', 'services/missing');
  });

  it('that ends by itself is told with its status and started again', async () => {
    const events = await client.shell('crash', 'echo up; exit 3', {}, '5s');
    expect(summary(events)).toEqual(['started', 'stdout up', 'exit', 'complete']);
    expect(events[2]).toMatchObject({ exit_code: 3 });
    expect((await client.get('crash')).state).toMatchObject({
      status: 'failed',
      next_restart_at: expect.any(String),
    });
    await expect
      .poll(async () => (await client.get('crash')).state.restart_count, { timeout: 20_000 })
      .toBe(2);
    await client.ask('DELETE', 'services/crash');
  });

  it('is started again after a signal ends it, and goes on after one that does not', async () => {
    await client.shell(
      'signalled',
      'trap "echo hup" HUP; echo up; while :; do sleep 0.05; done',
      {},
      '500ms',
    );
    const { pid } = (await client.get('signalled')).state;
    expect(
      (await client.ask('POST', 'services/signal', { name: 'signalled', signal: 'sighup' })).status,
    ).toBe(204);
    await expect.poll(() => logOf('signalled')).toContain('[stdout] hup');
    expect((await client.get('signalled')).state).toMatchObject({ status: 'running', pid });
    await client.ask('POST', 'services/signal', { name: 'signalled', signal: 'KILL' });
    await expect
      .poll(async () => (await client.get('signalled')).state, { timeout: 20_000 })
      .toMatchObject({ status: 'running', restart_count: 1 });
    await client.ask('DELETE', 'services/signalled');
  });

  it('stays stopped until it is started', async () => {
    await client.shell('sticky', stays);
    expect(summary(await client.events('POST', 'services/sticky/stop'))).toEqual([
      'stopping',
      'stopped',
      'complete',
    ]);
    expect(JSON.parse(await readFile(`${agent.dir}/services/sticky.json`, 'utf8'))).toMatchObject({
      stopped: true,
    });
    expect(await client.ask('POST', 'services/sticky/stop')).toMatchObject({ status: 409 });
    expect(summary(await client.events('POST', 'services/sticky/start?duration=0'))).toEqual([
      'started',
      'complete',
    ]);
    expect(JSON.parse(await readFile(`${agent.dir}/services/sticky.json`, 'utf8'))).toMatchObject({
      stopped: false,
    });
    expect(summary(await client.events('POST', 'services/sticky/start?duration=0'))).toEqual([
      'started',
      'complete',
    ]);
    await client.ask('DELETE', 'services/sticky');
  });

  it('that waits to be started again can be stopped', async () => {
    await client.shell('looping', 'exit 1', {}, '5s');
    expect(summary(await client.events('POST', 'services/looping/stop'))).toEqual([
      'stopping',
      'stopped',
      'complete',
    ]);
    expect((await client.get('looping')).state).toMatchObject({ status: 'stopped', next_restart_at: null });
    await client.ask('DELETE', 'services/looping');
  });

  it('that ignores SIGTERM is killed after its time', async () => {
    await client.shell('deaf', 'trap "" TERM; echo up; while :; do sleep 0.05; done', {}, '300ms');
    const { pid = 0 } = (await client.get('deaf')).state;
    const events = await client.events('POST', 'services/deaf/stop?timeout=200ms');
    expect(events.find(({ type }) => type === 'stopped')).toMatchObject({ exit_code: 137 });
    expect(isAlive(pid)).toBe(false);
    await client.ask('DELETE', 'services/deaf');
  });

  it('that says goodbye while it stops is heard to the end', async () => {
    const script =
      'trap "echo bye; exit 0" TERM; sh -c "trap \'\' TERM; sleep 0.7; echo child" & echo up; wait';
    await client.shell('polite', script, {}, '300ms');
    const events = summary(await client.events('POST', 'services/polite/stop'));
    expect(events).toEqual(['stopping', 'stdout bye', 'stdout child', 'stopped', 'complete']);
    await client.ask('DELETE', 'services/polite');
  });

  it('that becomes a daemon is followed, stopped and started again', async () => {
    const daemon = 'setsid sh -c "echo daemon; exec sleep 1000" & sleep 0.1; exit 0';
    const env = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`BIG${i}`, 'x'.repeat(100_000)]));
    expect(summary(await client.shell('daemon', daemon, { env }, '1s'))).toEqual([
      'started',
      'stdout daemon',
      'complete',
    ]);
    const { pid = 0, status } = (await client.get('daemon')).state;
    expect(status).toBe('running');
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).toBe('sleep\x001000\0');
    process.kill(pid, 'SIGKILL');
    await expect
      .poll(async () => (await client.get('daemon')).state, { timeout: 20_000 })
      .toMatchObject({ status: 'running', restart_count: 1 });
    await expect.poll(async () => (await client.get('daemon')).state.pid).not.toBe(pid);
    const next = (await client.get('daemon')).state.pid ?? 0;
    await client.ask('DELETE', 'services/daemon');
    expect(isAlive(next)).toBe(false);
  });

  it('that becomes a daemon in the group of a process that has ended still gets signals', async () => {
    const daemon =
      'setsid sh -c "sh -c \'trap \\"echo hup\\" HUP; echo up; while :; do sleep 0.05; done\' &" & wait; exit 0';
    await client.shell('forked', daemon, {}, '500ms');
    const { pid, status } = (await client.get('forked')).state;
    expect([status, typeof pid]).toEqual(['running', 'number']);
    expect((await client.ask('POST', 'services/signal', { name: 'forked', signal: 'HUP' })).status).toBe(204);
    await expect.poll(() => logOf('forked')).toContain('[stdout] hup');
    await client.ask('DELETE', 'services/forked');
    expect(isAlive(pid ?? 0)).toBe(false);
  });

  it('that crashes takes what it left behind with it', async () => {
    const events = await client.shell('parent', 'setsid sleep 1000 & echo $!; sleep 0.2; exit 1', {}, '5s');
    const pid = Number(summary(events)[1]?.replace('stdout ', ''));
    expect(summary(events).slice(-2)).toEqual(['exit', 'complete']);
    expect(isAlive(pid)).toBe(false);
    await client.ask('DELETE', 'services/parent');
  });

  it('is replaced by its new definition', async () => {
    await client.shell('changing', `echo one; ${stays}`, {}, '300ms');
    const events = await client.shell('changing', `echo two; ${stays}`, {}, '1s');
    expect(summary(events)).toEqual(['stopping', 'stopped', 'started', 'stdout two', 'complete']);
    expect(await client.get('changing')).toMatchObject({ args: ['-c', `echo two; ${stays}`] });
    await client.ask('DELETE', 'services/changing');
    expect(await client.ask('GET', 'services/changing')).toMatchObject({ status: 404 });
    expect(existsSync(`${agent.dir}/services/changing.json`)).toBe(false);
    expect(await logOf('changing')).toContain('[stdout] two');
  });
});

describe('needs', () => {
  it('are started first, also when someone stopped them', async () => {
    await client.shell('base', stays);
    await client.shell('middle', stays, { needs: ['base'] });
    await client.shell('top', stays, { needs: ['middle', 'base'] });
    for (const name of ['top', 'middle', 'base']) await client.events('POST', `services/${name}/stop`);
    await client.events('POST', 'services/top/start?duration=0');
    const started = await Promise.all(
      ['base', 'middle', 'top'].map(async (name) => (await client.get(name)).state.started_at ?? ''),
    );
    expect(started).toEqual([...started].sort());
    expect(started).not.toContain('');
  });

  it('that run in a circle, are unknown, or are the service itself are refused', async () => {
    const refusal = async (name: string, needs: readonly string[]): Promise<string> =>
      (await client.ask('PUT', `services/${name}`, { cmd: 'true', needs })).body;
    expect(await refusal('base', ['top'])).toContain('in a circle: base → top → middle → base');
    expect(await refusal('other', ['nobody'])).toContain('there is no service of that name');
    expect(await refusal('other', ['other'])).toContain('is the service itself');
    expect((await client.get('base')).needs).toEqual([]);
  });

  it('keep a service from being deleted', async () => {
    expect(await client.ask('DELETE', 'services/base')).toMatchObject({ status: 409 });
    for (const name of ['top', 'middle', 'base']) {
      expect(await client.ask('DELETE', `services/${name}`)).toMatchObject({ status: 204 });
    }
  });

  it('that do not run keep a service waiting', async () => {
    await client.events('PUT', 'services/broken?duration=0', { cmd: '/no/such/program' });
    const events = await client.shell('waiting', stays, { needs: ['broken'] }, '1s');
    expect(summary(events)).toContain('error needs broken, which is failed');
    await client.events('PUT', 'services/broken?duration=0', { cmd: 'sleep', args: ['1000'] });
    await expect
      .poll(async () => (await client.get('waiting')).state.status, { timeout: 20_000 })
      .toBe('running');
    for (const name of ['waiting', 'broken']) await client.ask('DELETE', `services/${name}`);
  });
});

describe('a bad request', () => {
  const cmd = 'true';
  it.each([
    ['no name of a service', 'PUT', 'services/-x', { cmd }, 400, 'invalid_request'],
    ['a name with a slash', 'PUT', 'services/a%2Fb', { cmd }, 400, 'invalid_request'],
    ['a name with a space', 'PUT', 'services/a%20b', { cmd }, 400, 'invalid_request'],
    [
      'a name that leaves the directory',
      'PUT',
      'services/..%2F..%2Fetc%2Fpasswd',
      { cmd },
      400,
      'invalid_request',
    ],
    ['a name that is too long', 'PUT', `services/${'x'.repeat(64)}`, { cmd }, 400, 'invalid_request'],
    ['the reserved name', 'PUT', 'services/signal', { cmd }, 400, 'invalid_request'],
    ['no program', 'PUT', 'services/x', {}, 400, 'invalid_request'],
    ['no json', 'PUT', 'services/x', '{', 400, 'invalid_request'],
    ['no object', 'PUT', 'services/x', [], 400, 'invalid_request'],
    ['an unknown field', 'PUT', 'services/x', { cmd, enviroment: {} }, 400, 'invalid_request'],
    ['a port that is none', 'PUT', 'services/x', { cmd, http_port: 70_000 }, 400, 'invalid_request'],
    ['a port as text', 'PUT', 'services/x', { cmd, http_port: '80' }, 400, 'invalid_request'],
    ['a relative directory', 'PUT', 'services/x', { cmd, dir: 'app' }, 400, 'invalid_request'],
    ['a variable that is none', 'PUT', 'services/x', { cmd, env: { 'A=B': '' } }, 400, 'invalid_request'],
    ['NUL in an argument', 'PUT', 'services/x', { cmd, args: ['a\0b'] }, 400, 'invalid_request'],
    [
      '5,000 variables',
      'PUT',
      'services/x',
      { cmd, env: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`V${i}`, ''])) },
      400,
      'invalid_request',
    ],
    [
      'a body that is too large',
      'PUT',
      'services/x',
      { cmd, args: ['x'.repeat(5_000_000)] },
      413,
      'request_too_large',
    ],
    ['a duration that is none', 'PUT', 'services/x?duration=soon', { cmd }, 400, 'invalid_request'],
    ['a duration of days', 'PUT', 'services/x?duration=48h', { cmd }, 400, 'invalid_request'],
    ['a negative number of lines', 'GET', 'services/x/logs?lines=-1', undefined, 400, 'invalid_request'],
    ['a timeout that is none', 'POST', 'services/x/stop?timeout=x', undefined, 400, 'invalid_request'],
    ['an unknown signal', 'POST', 'services/signal', { name: 'x', signal: 'SIGNOPE' }, 400, 'invalid_signal'],
    ['no signal', 'POST', 'services/signal', { name: 'x' }, 400, 'invalid_signal'],
    ['a signal for nobody', 'POST', 'services/signal', { signal: 'TERM' }, 400, 'invalid_request'],
    [
      'a signal for an unknown service',
      'POST',
      'services/signal',
      { name: 'x', signal: 'TERM' },
      404,
      'service_not_found',
    ],
    ['an unknown service', 'GET', 'services/x', undefined, 404, 'service_not_found'],
    ['logs of an unknown service', 'GET', 'services/x/logs', undefined, 404, 'service_not_found'],
    ['an unknown verb', 'POST', 'services/x/dance', undefined, 404, 'not_found'],
    ['a wrong method', 'GET', 'services/x/start', undefined, 405, 'method_not_allowed'],
  ])('is refused: %s', async (_, method, path, body, status, code) => {
    const answer = await client.ask(method, path, body);
    expect(answer.status).toBe(status);
    const { error, message } = JSON.parse(answer.body);
    expect(error).toBe(code);
    expect(message.length).toBeLessThan(300);
  });

  it('for a second http port is a conflict', async () => {
    await client.shell('first', stays, { http_port: 80 });
    const answer = await client.ask('PUT', 'services/second', { cmd: 'true', httpPort: 81 });
    expect(answer.status).toBe(409);
    expect(JSON.parse(answer.body)).toEqual({
      error: 'service_conflict',
      message: 'another service already has an HTTP port configured',
    });
    await client.ask('DELETE', 'services/first');
  });

  it('comes while another one works on the service: it is told to come again', async () => {
    await client.shell(
      'slow',
      'trap "sleep 1; exit 0" TERM; echo up; while :; do sleep 0.05; done',
      {},
      '300ms',
    );
    const stopping = client.events('POST', 'services/slow/stop');
    await expect.poll(async () => (await client.get('slow')).state.status).toBe('stopping');
    const meanwhile = await Promise.all(
      ['start', 'restart', 'stop'].map((verb) => client.ask('POST', `services/slow/${verb}`)),
    );
    expect(meanwhile.map(({ status }) => status)).toEqual([409, 409, 409]);
    expect(summary(await stopping)).toContain('stopped');
    await client.ask('DELETE', 'services/slow');
  });
});

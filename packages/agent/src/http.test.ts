import { once } from 'node:events';
import { request } from 'node:http';
import { streamIds } from '@sprites/contract/exec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ExecConnection } from './testing/exec-connection.ts';
import { type HttpAnswer, httpRequest } from './testing/http-request.ts';

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent({ machine: { version: '1.2.3', incarnation: 7 } });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

async function ask(path: string, method = 'GET', body?: string): Promise<HttpAnswer> {
  return await httpRequest(agent.socketPath, { path, method, ...(body === undefined ? {} : { body }) });
}

async function start(script: string): Promise<ExecConnection> {
  const query = new URLSearchParams();
  for (const arg of ['sh', '-c', script]) query.append('cmd', arg);
  return await ExecConnection.open(agent.socketPath, `/v1/exec?${query}`);
}

async function startReady(
  script: string,
): Promise<{ readonly connection: ExecConnection; readonly id: string }> {
  const connection = await start(`${script}; echo ready; while :; do sleep 0.05; done`);
  await connection.until((seen) => seen.output(streamIds.stdout).includes('ready'));
  return { connection, id: await connection.sessionId() };
}

const lines = (answer: HttpAnswer): unknown[] =>
  answer.body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the session list', () => {
  it('shows live sessions only', async () => {
    const { connection, id } = await startReady('cd /tmp');
    const answer = await ask('/v1/exec');
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'sprite-version': '1.2.3' },
    });
    const { sessions, count }: { sessions: { id: string }[]; count: number } = JSON.parse(answer.body);
    expect(count).toBe(sessions.length);
    expect(sessions.find((session) => session.id === id)).toMatchObject({
      command: expect.stringContaining('sh -c cd /tmp'),
      workdir: expect.any(String),
      created: expect.stringMatching(/^\d{4}-.*Z$/),
      last_activity: expect.stringMatching(/^\d{4}-.*Z$/),
      bytes_per_second: expect.any(Number),
      is_active: true,
      tty: false,
    });
    connection.sendJson({ type: 'signal', signal: 'KILL' });
    await connection.result();
    expect((await ask('/v1/exec')).body).not.toContain(`"id":"${id}"`);
  });

  it('answers HEAD with the version and nothing else', async () => {
    const answer = await ask('/v1/exec', 'HEAD');
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'sprite-version': '1.2.3' } });
  });
});

describe('other requests', () => {
  it('tell the health', async () => {
    const body: unknown = JSON.parse((await ask('/v1/health')).body);
    expect(body).toMatchObject({
      status: 'ok',
      version: '1.2.3',
      incarnation: 7,
      sessions: 0,
      idle_ms: expect.any(Number),
    });
  });

  it.each([
    ['GET', '/v1/exec/424242', 404, 'session_not_found'],
    ['POST', '/v1/exec/424242/kill', 404, 'session_not_found'],
    ['GET', '/v1/control', 426, 'upgrade_required'],
    ['DELETE', '/v1/exec', 405, 'method_not_allowed'],
    ['GET', '/v1/nonsense/read', 404, 'not_found'],
    ['POST', '/v1/exec?cmd=true&tty=true', 400, 'invalid_request'],
    ['POST', '/v1/exec?cmd=true&env=BAD', 400, 'invalid_request'],
  ])('%s %s is %d %s', async (method, path, status, error) => {
    const answer = await ask(path, method);
    expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(answer.body)).toMatchObject({ error, message: expect.any(String) });
  });

  it('to a live session need an upgrade', async () => {
    const { connection, id } = await startReady('true');
    expect(await ask(`/v1/exec/${id}`)).toMatchObject({ status: 426 });
    connection.socket.terminate();
    await ask(`/v1/exec/${id}/kill?signal=KILL`, 'POST');
  });
});

describe('kill', () => {
  it('ends a session by SIGTERM and reports it', async () => {
    const { connection, id } = await startReady('true');
    const answer = await ask(`/v1/exec/${id}/kill`, 'POST');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/x-ndjson' } });
    expect(lines(answer)).toEqual([
      {
        type: 'signal',
        message: `Signaling SIGTERM to process group ${id}`,
        signal: 'SIGTERM',
        pid: Number(id),
      },
      { type: 'exited', message: 'Process exited' },
      { type: 'complete', exit_code: 143 },
    ]);
    expect(await connection.result()).toMatchObject({ exitCode: 143 });
    expect(JSON.parse((await ask(`/v1/exec/${id}/kill`, 'POST')).body)).toMatchObject({
      error: 'session_exited',
    });
    expect(await ask(`/v1/exec/${id}/kill`, 'POST')).toMatchObject({ status: 410 });
  });

  it('escalates to SIGKILL when the time is over, which the body may set', async () => {
    const { id } = await startReady('trap "" TERM');
    const answer = await ask(
      `/v1/exec/${id}/kill?timeout=1h`,
      'POST',
      '{"signal":"SIGTERM","timeout":"200ms"}',
    );
    expect(lines(answer).slice(1)).toEqual([
      { type: 'timeout', message: 'Timeout after 0.2s, sending SIGKILL' },
      { type: 'killed', message: 'Process killed' },
      { type: 'complete', exit_code: 137 },
    ]);
  });

  it('only signals with a timeout of zero', async () => {
    const { connection, id } = await startReady('trap "echo usr1" USR1');
    expect(lines(await ask(`/v1/exec/${id}/kill?signal=usr1&timeout=0s`, 'POST'))).toEqual([
      expect.objectContaining({ type: 'signal', signal: 'SIGUSR1' }),
      { type: 'complete' },
    ]);
    await connection.until((seen) => seen.output(streamIds.stdout).includes('usr1'));
    await ask(`/v1/exec/${id}/kill?signal=9`, 'POST');
  });

  it('refuses a signal that does not exist and a body that is too large', async () => {
    const { id } = await startReady('true');
    const answer = await ask(`/v1/exec/${id}/kill?signal=NOPE`, 'POST');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      400,
      expect.objectContaining({ error: 'invalid_signal' }),
    ]);
    expect(await ask(`/v1/exec/${id}/kill`, 'POST', ' '.repeat(100_000))).toMatchObject({ status: 413 });
    await ask(`/v1/exec/${id}/kill?signal=KILL`, 'POST');
  });
});

describe('exec over http', () => {
  it('sends one frame per piece, the exit frame last', async () => {
    const { status, headers, pieces } = await ask(
      '/v1/exec?cmd=sh&cmd=-c&cmd=echo+out;+sleep+0.05;+echo+err+>%262;+exit+3',
      'POST',
    );
    expect([status, headers['content-type']]).toEqual([200, 'application/octet-stream']);
    expect(pieces.map(String)).toEqual(['\x01out\n', '\x02err\n', '\x03\x03']);
  });

  it('feeds the body to the command and keeps frames small', async () => {
    const answer = await ask('/v1/exec?cmd=cat&stdin=true', 'POST', 'x'.repeat(100_000));
    expect(Buffer.concat(answer.pieces.slice(0, -1).map((piece) => piece.subarray(1)))).toHaveLength(100_000);
    expect(Math.max(...answer.pieces.map((piece) => piece.length))).toBeLessThanOrEqual(4096);
    expect([...(answer.pieces.at(-1) ?? [])]).toEqual([3, 0]);
  });

  it('has no input without stdin=true', async () => {
    expect((await ask('/v1/exec?cmd=cat', 'POST', 'ignored')).pieces.map(String)).toEqual(['\x03\0']);
  });

  it('reports a command that is not found', async () => {
    const { status, pieces } = await ask('/v1/exec?cmd=no-such-command', 'POST');
    expect([status, ...pieces.map(String)]).toEqual([
      200,
      '\x02no-such-command: command not found\n',
      '\x03\x7f',
    ]);
  });

  it('ends the command some time after the client has gone', async () => {
    const path = '/v1/exec?cmd=sleep&cmd=30&max_run_after_disconnect=100ms';
    const outgoing = request({ socketPath: agent.socketPath, method: 'POST', path, agent: false });
    outgoing.on('error', () => undefined);
    outgoing.end();
    await once(outgoing, 'response');
    expect((await ask('/v1/exec')).body).toContain('sleep 30');
    outgoing.destroy();
    while ((await ask('/v1/exec')).body.includes('sleep 30'));
  });
});

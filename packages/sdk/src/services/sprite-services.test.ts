import { describe, expect, it } from 'vitest';
import { openFakeServer } from '../fake-server.ts';

const state = { name: 'web', status: 'running', pid: 7, restart_count: 1, next_restart_at: null, error: '' };
const web = { name: 'web', cmd: 'node', args: ['a'], env: {}, needs: [], http_port: 80, state };

/** A server that gives every request this answer and remembers what it was asked. */
async function answering(body: string, status = 200) {
  const asked: string[] = [];
  const server = await openFakeServer({
    http: (request, response, sent) => {
      asked.push(`${request.method} ${request.url} ${sent}`.trim());
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body);
    },
  });
  return { ...server, asked, sprite: server.client.sprite('demo') };
}

const lines = [
  '{"type":"started","timestamp":1}',
  '',
  '{"type":"stdout","data":"hi\\n","timestamp":2}',
  '{"type":"from-the-future","timestamp":2}',
  '{"type":"exit","exit_code":3,"timestamp":3}',
  '{"type":"complete","log_files":{"combined":"/log"},"timestamp":4}',
].join('\n');

describe('services', () => {
  it('are listed and got with the names of the SDK', async () => {
    await using server = await answering(JSON.stringify([web]));
    const { http_port: _, state: __, ...rest } = web;
    expect(await server.sprite.listServices()).toEqual([
      {
        ...rest,
        httpPort: 80,
        state: { name: 'web', status: 'running', pid: 7, restartCount: 1, error: '' },
      },
    ]);
    await using one = await answering(JSON.stringify({ ...web, http_port: null, user: 'root', dir: '/srv' }));
    const got = await one.sprite.getService('a/b');
    expect([got.httpPort, got.user, got.dir]).toEqual([undefined, 'root', '/srv']);
    expect(one.asked).toEqual(['GET /v1/sprites/demo/services/a%2Fb']);
  });

  it('stream what they write and what happens to them', async () => {
    await using server = await answering(lines);
    const events = [];
    for await (const event of await server.sprite.startService('web', '2s')) events.push(event);
    expect(events).toEqual([
      { type: 'started', timestamp: 1 },
      { type: 'stdout', data: 'hi\n', timestamp: 2 },
      { type: 'exit', exitCode: 3, timestamp: 3 },
      { type: 'complete', logFiles: { combined: '/log' }, timestamp: 4 },
    ]);
  });

  it('are asked for as the specification has it', async () => {
    await using server = await answering(lines);
    const { sprite } = server;
    await sprite.createService('web', { cmd: 'node', args: ['a'], httpPort: 80 }, '0');
    await sprite.createService('web', { cmd: 'node' });
    await sprite.stopService('web', '3s');
    await sprite.restartService('web');
    await sprite.getServiceLogs('web', { lines: 5, duration: '1s' });
    await sprite.signalService('web', 'HUP');
    await sprite.deleteService('web');
    const path = '/v1/sprites/demo/services';
    expect(server.asked).toEqual([
      `PUT ${path}/web?duration=0 {"cmd":"node","args":["a"],"http_port":80}`,
      `PUT ${path}/web {"cmd":"node"}`,
      `POST ${path}/web/stop?timeout=3s`,
      `POST ${path}/web/restart`,
      `GET ${path}/web/logs?lines=5&duration=1s`,
      `POST ${path}/signal {"name":"web","signal":"HUP"}`,
      `DELETE ${path}/web`,
    ]);
  });

  it('that are refused are an APIError', async () => {
    await using server = await answering('{"error":"service_conflict","message":"no"}', 409);
    await expect(server.sprite.createService('web', { cmd: 'x' })).rejects.toMatchObject({
      statusCode: 409,
      errorCode: 'service_conflict',
    });
  });
});

describe('listTasks', () => {
  it('gives names and times', async () => {
    const time = '2026-01-01T00:00:00.000Z';
    await using server = await answering(
      JSON.stringify({ tasks: [{ name: 'build', started_at: time, expires_at: time }] }),
    );
    const date = new Date(time);
    expect(await server.sprite.listTasks()).toEqual([{ name: 'build', startedAt: date, expiresAt: date }]);
  });
});

import { once } from 'node:events';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { echoServer } from '../ports/echo-server.ts';
import { testServer, uniqueName } from '../server.ts';

/**
 * What the official Go SDK puts on the wire, byte by byte, where it differs from other clients. This is no test of that
 * SDK: it holds the server to the SDK's habits also where the SDK itself cannot be had. See `official.test.ts`.
 */
const server = testServer();

type Message = { readonly binary: boolean; readonly text: string };
type Talk = { readonly socket: WebSocket; readonly heard: Message[]; readonly closed: Promise<number> };

function dial(path: string, query: URLSearchParams, headers: Record<string, string> = {}): Talk {
  const url = `${server.baseURL.replace(/^http/, 'ws')}${path}?${query}`;
  // the SDK replaces the ping handler of its library while a command runs, so it never sends a pong
  const socket = new WebSocket(url, {
    headers: { Authorization: `Bearer ${server.token}`, ...headers },
    perMessageDeflate: false,
    autoPong: false,
  });
  const heard: Message[] = [];
  socket.on('message', (data, binary) => heard.push({ binary, text: data.toString('latin1') }));
  const closed = once(socket, 'close').then(([code]) => Number(code));
  return { socket, heard, closed };
}

function binaryOf(heard: readonly Message[]): string[] {
  return heard.filter((message) => message.binary && message.text !== '').map((message) => message.text);
}

function exitOf(heard: readonly Message[]): unknown {
  const last = heard.filter((message) => !message.binary && message.text.includes('"exit"')).at(-1);
  return last === undefined ? undefined : JSON.parse(last.text);
}

describe('the habits of the Go SDK', () => {
  let sprite: Sprite;
  let path: string;

  beforeAll(async () => {
    sprite = await new SpritesClient(server.token, { baseURL: server.baseURL }).createSprite(
      uniqueName('gow'),
    );
    path = `/v1/sprites/${sprite.name}`;
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('gets the statuses and members that its file system insists on', async () => {
    const ask = async (
      method: string,
      what: string,
      query: object,
      body?: string,
    ): Promise<[number, unknown]> => {
      const answer = await fetch(`${server.baseURL}${path}/fs/${what}?${new URLSearchParams({ ...query })}`, {
        method,
        headers: { Authorization: `Bearer ${server.token}` },
        ...(body === undefined ? {} : { body }),
      });
      return [answer.status, await answer.json()];
    };
    const place = { path: 'go/file', workingDir: '/home/sprite' };
    // its MkdirAll writes a file that stays
    const keep = { path: 'go/.keep', workingDir: '/home/sprite', mode: '0755', mkdirParents: 'true' };
    expect(await ask('PUT', 'write', keep, '')).toEqual([
      200,
      { path: '/home/sprite/go/.keep', size: 0, mode: '0755' },
    ]);
    await ask('PUT', 'write', { ...place, mode: '0644' }, 'text');
    const [status, list] = await ask('GET', 'list', place);
    expect([status, list]).toMatchObject([
      200,
      {
        count: 1,
        entries: [{ name: 'file', path: '/home/sprite/go/file', size: 4, mode: '0644', isDir: false }],
      },
    ]);
    const moved = { workingDir: '/home/sprite', source: 'go/file', dest: 'go/moved' };
    expect((await ask('POST', 'rename', {}, JSON.stringify(moved)))[0]).toBe(200);
    const changed = { workingDir: '/home/sprite', path: 'go/moved', mode: '0600' };
    expect((await ask('POST', 'chmod', {}, JSON.stringify(changed)))[0]).toBe(200);
    const copied = {
      workingDir: '/home/sprite',
      source: 'go',
      dest: 'gone',
      recursive: true,
      preserveAttrs: false,
    };
    expect((await ask('POST', 'copy', {}, JSON.stringify(copied)))[0]).toBe(200);
    const removed = { path: 'gone', workingDir: '/home/sprite', recursive: 'true' };
    expect(await ask('DELETE', 'delete', removed)).toMatchObject([200, { count: 3 }]);
    expect(await ask('DELETE', 'delete', removed)).toMatchObject([
      404,
      { code: 'ENOENT', path: '/home/sprite/gone' },
    ]);
    const inBody = JSON.stringify({ path: 'go', workingDir: '/home/sprite', recursive: true });
    expect((await ask('DELETE', 'delete', {}, inBody))[0]).toBe(200);
  });

  it('is told of a sprite version by a HEAD that starts nothing', async () => {
    const answer = await fetch(`${server.baseURL}${path}/exec`, {
      method: 'HEAD',
      headers: { Authorization: `Bearer ${server.token}` },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('sprite-version')).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('takes a network policy with exactly 200 and 204, in the order given', async () => {
    const url = `${server.baseURL}${path}/policy/network`;
    const headers = { Authorization: `Bearer ${server.token}`, 'Content-Type': 'application/json' };
    const body =
      '{"rules":[{"domain":"*.b.test","action":"allow"},{"include":"defaults"},{"domain":"a.test","action":"deny"}]}';
    const set = await fetch(url, { method: 'POST', headers, body });
    expect([set.status, await set.text()]).toEqual([204, '']);
    const got = await fetch(url, { headers });
    expect([got.status, await got.text()]).toEqual([200, body]);
    expect((await fetch(url, { method: 'POST', headers, body: '{"rules":[{}]}' })).status).toBe(400);
    expect((await fetch(url, { method: 'POST', headers, body: '{"rules":[]}' })).status).toBe(204);
  });

  it('is refused a control connection, so that it runs commands directly', async () => {
    const talk = dial(`${path}/control`, new URLSearchParams(), { 'User-Agent': 'sprites-go-sdk/1.0' });
    const [, answer] = await once(talk.socket, 'unexpected-response');
    expect(answer.statusCode).toBe(404);
    answer.destroy();
  });

  it('asks for a connection without the prefix, and is answered without it, where control is offered', async () => {
    const events = await sprite.watchPorts();
    await events.next();
    const running = sprite.spawn('python3', ['-c', echoServer, '7070', ''], { stdin: false });
    running.on('error', () => undefined);
    await events.next();
    events.close();
    const talk = dial(`${path}/control`, new URLSearchParams());
    await once(talk.socket, 'open');
    const params = { host: 'localhost', port: 7070, keep_alive: true };
    talk.socket.send(JSON.stringify({ type: 'start', operation: 'proxy', params }));
    await expect.poll(() => talk.heard.length).toBe(1);
    expect(talk.heard).toEqual([{ binary: false, text: '{"status":"connected","target":"localhost:7070"}' }]);
    talk.socket.send(Buffer.from('echo'));
    await expect.poll(() => binaryOf(talk.heard).join('')).toBe('echo');
    talk.socket.send('{"type":"release"}');
    expect(await talk.closed).toBe(1000);
    running.kill('SIGKILL');
  });

  it('is told that files are not to be had over control, instead of waiting for ever', async () => {
    const talk = dial(`${path}/control`, new URLSearchParams());
    await once(talk.socket, 'open');
    talk.socket.send('{"type":"op.start","op":"fs.list","args":"path=x&workingDir=%2F"}');
    await expect.poll(() => talk.heard.length).toBe(2);
    expect(talk.heard.map(({ text }) => JSON.parse(text))).toMatchObject([
      { error: expect.stringContaining('use /fs'), code: 'EINVAL' },
      { type: 'op.error', args: { error: expect.stringContaining('use /fs') } },
    ]);
    talk.socket.close();
  });

  it('says stdin=false and ends it at once', async () => {
    const query = new URLSearchParams([
      ['cmd', 'sh'],
      ['cmd', '-c'],
      ['cmd', 'cat; echo done; exit 3'],
      ['path', 'sh'],
      ['stdin', 'false'],
    ]);
    const talk = dial(`${path}/exec`, query);
    const [[upgrade]] = await Promise.all([once(talk.socket, 'upgrade'), once(talk.socket, 'open')]);
    expect(upgrade.headers['x-sprite-capabilities']).toContain('signal');
    talk.socket.send(Uint8Array.of(4));
    expect(await talk.closed).toBe(1000);
    expect(binaryOf(talk.heard)).toEqual(['\x01done\n', '\x03\x03']);
    expect(exitOf(talk.heard)).toMatchObject({ exit_code: 3 });
    expect(JSON.parse(talk.heard[0]?.text ?? '')).toMatchObject({
      type: 'session_info',
      session_id: expect.any(String),
    });
  });

  it('asks for a terminal with stdin=false and learns the status from text', async () => {
    const query = new URLSearchParams([
      ['cmd', 'sh'],
      ['cmd', '-c'],
      ['cmd', 'tty; stty size; exit 5'],
      ['path', 'sh'],
      ['stdin', 'false'],
      ['tty', 'true'],
    ]);
    const talk = dial(`${path}/exec`, query);
    expect(await talk.closed).toBe(1000);
    expect(binaryOf(talk.heard).join('')).toMatch(/^\/dev\/\S+\r\n24 80\r\n$/);
    expect(exitOf(talk.heard)).toMatchObject({ exit_code: 5 });
  });

  it('sends a signal as text, in either spelling', async () => {
    const script = 'trap "exit 9" USR1; echo up; while :; do sleep 0.1; done';
    const query = new URLSearchParams([
      ['cmd', 'sh'],
      ['cmd', '-c'],
      ['cmd', script],
      ['path', 'sh'],
      ['stdin', 'false'],
    ]);
    const talk = dial(`${path}/exec`, query);
    await expect.poll(() => binaryOf(talk.heard)).toContain('\x01up\n');
    talk.socket.send(JSON.stringify({ type: 'signal', signal: 'USR1' }));
    expect(await talk.closed).toBe(1000);
    expect(exitOf(talk.heard)).toMatchObject({ exit_code: 9 });
  });

  it('attaches to a terminal with a lone end of input that must not end the shell', async () => {
    const query = new URLSearchParams([
      ['cmd', 'cat'],
      ['path', 'cat'],
      ['tty', 'true'],
      ['stdin', 'true'],
    ]);
    const first = dial(`${path}/exec`, query);
    await expect.poll(() => first.heard.length).toBeGreaterThan(0);
    const { session_id: id } = JSON.parse(first.heard[0]?.text ?? '');
    first.socket.terminate();

    const second = dial(`${path}/exec/${id}`, new URLSearchParams({ stdin: 'false' }));
    await once(second.socket, 'open');
    second.socket.send(Uint8Array.of(4));
    second.socket.send(Buffer.from('still here\n'));
    await expect.poll(() => binaryOf(second.heard).join('')).toContain('still here');
    second.socket.send(Uint8Array.of(4));
    expect(await second.closed).toBe(1000);
    expect(exitOf(second.heard)).toMatchObject({ exit_code: 0 });
  });

  it('kills with timeout=0s, which only signals, and takes 410 for success', async () => {
    const script = 'trap "echo hup" HUP; echo up; while :; do sleep 0.1; done';
    const query = new URLSearchParams([
      ['cmd', 'sh'],
      ['cmd', '-c'],
      ['cmd', script],
      ['path', 'sh'],
      ['stdin', 'false'],
    ]);
    const talk = dial(`${path}/exec`, query);
    await expect.poll(() => binaryOf(talk.heard)).toContain('\x01up\n');
    const { session_id: id } = JSON.parse(talk.heard[0]?.text ?? '');
    const kill = async (search: string): Promise<Response> =>
      await fetch(`${server.baseURL}${path}/exec/${id}/kill?${search}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${server.token}` },
      });
    expect((await kill('signal=HUP&timeout=0s')).status).toBe(200);
    await expect.poll(() => binaryOf(talk.heard)).toContain('\x01hup\n');
    const lines = (await (await kill('signal=KILL&timeout=5s')).text()).trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ type: 'complete' });
    await talk.closed;
    expect([404, 410]).toContain((await kill('signal=TERM&timeout=0s')).status);
  });

  it('wants exact statuses, integers and short lines of services', async () => {
    const ask = async (method: string, at: string, body?: string): Promise<Response> =>
      await fetch(`${server.baseURL}${path}/services${at}`, {
        method,
        headers: { Authorization: `Bearer ${server.token}`, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      });
    // the SDK writes durations as `time.Duration.String()` does, and its scanner takes lines of up to 64 KiB
    const script = "head -c 100000 /dev/zero | tr '\\0' '\\1'; echo; exec sleep 1000";
    const created = await ask(
      'PUT',
      '/web?duration=1.5s',
      `{"cmd":"sh","args":["-c",${JSON.stringify(script)}],"http_port":3000}`,
    );
    expect([created.status, created.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    const lines = (await created.text()).split('\n').filter((line) => line !== '');
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThan(65_536);
    const events = lines.map((line) => JSON.parse(line));
    expect(events.every(({ timestamp }) => Number.isSafeInteger(timestamp))).toBe(true);
    expect(
      events
        .filter(({ type }) => type === 'stdout')
        .map(({ data }) => data.trim())
        .join(''),
    ).toHaveLength(100_000);
    const list = await (await ask('GET', '')).json();
    expect(list).toMatchObject([{ name: 'web', state: { next_restart_at: null } }]);
    expect(Number.isInteger(list[0].state.pid)).toBe(true);
    expect((await ask('POST', '/signal', '{"name":"web","signal":"WINCH"}')).status).toBe(204);
    expect((await ask('POST', '/signal', '{"name":"web","signal":"NOPE"}')).status).toBe(400);
    // the SDK reads a stream to its end
    const finish = async (at: string): Promise<number> => {
      const answer = await ask('POST', at);
      await answer.text();
      return answer.status;
    };
    expect(await finish('/web/stop?timeout=1m0s')).toBe(200);
    expect((await ask('POST', '/web/stop')).status).toBe(409);
    expect((await ask('POST', '/signal', '{"name":"web","signal":"HUP"}')).status).toBe(409);
    const state = (await (await ask('GET', '/web')).json()).state;
    expect([state.status, state.started_at, state.pid]).toEqual(['stopped', undefined, undefined]);
    expect(await finish('/web/start?duration=300ms')).toBe(200);
    expect((await ask('DELETE', '/web')).status).toBe(204);
    expect((await ask('DELETE', '/web')).status).toBe(404);
  });
});

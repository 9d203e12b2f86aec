import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';
import { describe, expect, it } from 'vitest';
import { createLog } from '../log.ts';
import { Metrics } from '../metrics.ts';
import { systemClock } from '../system-clock.ts';
import { createListener, type ListenerDeps } from './listener.ts';
import { RateLimit } from './rate-limit.ts';

async function listening(
  answer: ListenerDeps['answer'],
  more: Partial<ListenerDeps> = {},
): Promise<AsyncDisposable & { readonly url: string; readonly logged: readonly object[] }> {
  const logged: object[] = [];
  const log = Object.assign(createLog('silent'), { error: (facts: object) => logged.push(facts) });
  const server = createListener({
    clock: systemClock,
    log,
    metrics: new Metrics(
      async () => ({}),
      () => 0,
    ),
    answer,
    ...more,
    upgrade: () => {
      throw new SpriteError('invalid_request', 'not like this');
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // it listens, on a port
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    logged,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('createListener', () => {
  it('logs an error that became an answer under the id the answer carries', async () => {
    const failure = new Error('the cause');
    await using server = await listening(async (_request, response) => {
      response.emit('sprites:error', failure);
      response.writeHead(500).end();
    });
    const response = await fetch(server.url);
    expect(server.logged).toMatchObject([{ request_id: response.headers.get('x-request-id'), err: failure }]);
  });

  it('answers with an error that is thrown at once, for requests and for upgrades', async () => {
    await using server = await listening(() => {
      throw new SpriteError('invalid_request', 'not like this');
    });
    expect((await fetch(server.url)).status).toBe(400);
    const refused = new Promise((resolve) => {
      const sent = request(server.url, { headers: { connection: 'Upgrade', upgrade: 'websocket' } });
      sent
        .once('response', (response) => resolve(response.statusCode))
        .once('error', resolve)
        .end();
    });
    expect(await refused).toBe(400);
    expect((await fetch(server.url)).status).toBe(400);
  });

  it('refuses a token that asks too often, also upgrades, and counts each token by itself', async () => {
    const rate = new RateLimit({ clock: systemClock, limit: 1, windowS: 60 });
    await using server = await listening(async (_request, response) => void response.end('ok'), { rate });
    const send = (authorization: string) => fetch(server.url, { headers: { authorization } });
    const ask = (secret: string) => send(`Bearer org/org_1/tok_1/${secret}`);
    const first = await ask('secret-one');
    expect([first.status, first.headers.get('x-ratelimit-remaining')]).toEqual([200, '0']);
    const second = await ask('secret-one');
    expect(second.status).toBe(429);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await second.json()).toMatchObject({
      error: 'rate_limited',
      limit: 1,
      window_seconds: 60,
      current_count: 1,
    });
    for (const same of ['bearer  org/org_1/tok_1/secret-one', 'Bearer other/org_2/tok_1/secret-one'])
      expect((await send(same)).status, same).toBe(429);
    expect((await ask('secret-two')).status).toBe(200);
    expect((await fetch(server.url)).status).toBe(200);
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      authorization: 'Bearer org/org_1/tok_1/secret-one',
    };
    const refused = new Promise((resolve) => {
      const sent = request(server.url, { headers });
      sent
        .once('response', ({ statusCode }) => resolve(statusCode))
        .once('error', resolve)
        .end();
    });
    expect(await refused).toBe(429);
  });

  it('refuses the longest heads when too much of them arrives at once, and no others', async () => {
    await using server = await listening(
      async (request, response) => {
        for await (const _ of request);
        response.end('ok');
      },
      { headsBytes: 1_000_000 },
    );
    const port = Number(new URL(server.url).port);
    const begin = (bytes: number): Socket => {
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(bytes)}`);
      return socket;
    };
    // a body does not count, nor does a connection that had one before
    const body = 'x'.repeat(2_000_000);
    expect(await (await fetch(server.url, { method: 'POST', body })).text()).toBe('ok');
    const [short, long] = [begin(100_000), begin(600_000)];
    const longest = begin(700_000);
    const [refusal] = await once(longest, 'data');
    expect(String(refusal)).toMatch(/^HTTP\/1\.1 503 .*"unavailable"/s);
    for (const socket of [short, long]) {
      socket.write('\r\n\r\n');
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    }
    expect(await (await fetch(server.url, { method: 'POST', body })).text()).toBe('ok');
  });

  it('refuses a head that is longer than any that makes sense', async () => {
    await using server = await listening(async (_request, response) => void response.end('ok'));
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(4.1 * 1024 * 1024)}\r\n\r\n`);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 431 .*request_header_too_large/s);
    socket.destroy();
  });

  it('ends a connection that it was handed when its headers do not come', async () => {
    const api = createListener({
      clock: systemClock,
      log: createLog('silent'),
      metrics: new Metrics(
        async () => ({}),
        () => 0,
      ),
      answer: async (_request, response) => void response.end('ok'),
      upgrade: async () => 101,
      headersTimeoutMs: 300,
    });
    await using door = createServer((socket) => api.emit('connection', socket));
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    // it listens, on a port
    const { port } = door.address() as AddressInfo;
    const client = connect(port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(client, 'data');
    client.write('GET / HTTP/1.1\r\nX-Slow: ');
    const said = once(client, 'data').then(([bytes]) => String(bytes));
    const ended = once(client, 'close');
    expect(await said).toMatch(/^HTTP\/1\.1 408 /);
    await ended;
    api.closeAllConnections();
  });
});

import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpriteError } from '@sprites/contract';
import { describe, expect, it } from 'vitest';
import { createLog } from '../log.ts';
import { Metrics } from '../metrics.ts';
import { systemClock } from '../system-clock.ts';
import { createListener, type ListenerDeps } from './listener.ts';

async function listening(
  answer: ListenerDeps['answer'],
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
});

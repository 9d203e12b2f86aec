import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createLog } from '../log.ts';
import { Metrics } from '../metrics.ts';
import { systemClock } from '../system-clock.ts';
import { createListener } from './listener.ts';

describe('createListener', () => {
  it('logs an error that became an answer under the id the answer carries', async () => {
    const logged: unknown[] = [];
    const log = Object.assign(createLog('silent'), {
      error: (facts: object) => logged.push(facts),
    });
    const failure = new Error('the cause');
    await using server = createListener({
      clock: systemClock,
      log,
      metrics: new Metrics(async () => ({})),
      answer: async (_request, response) => {
        response.emit('sprites:error', failure);
        response.writeHead(500).end();
      },
      upgrade: async () => 404,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // it listens, on a port
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    await response.text();
    expect(logged).toMatchObject([{ request_id: response.headers.get('x-request-id'), err: failure }]);
  });
});

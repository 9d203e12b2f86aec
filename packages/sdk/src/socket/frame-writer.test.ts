import { once } from 'node:events';
import { request } from 'node:http';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { FrameWriter } from './frame-writer.ts';

let server: WebSocketServer;
beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 1e6 });
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

/** Both ends of a new connection. */
async function connect(): Promise<{ readonly from: Writable; readonly to: NodeJS.EventEmitter }> {
  const address = server.address();
  const upgrade = request({
    port: typeof address === 'object' && address !== null ? address.port : 0,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  });
  upgrade.end();
  const [[to], [, from]] = await Promise.all([once(server, 'connection'), once(upgrade, 'upgrade')]);
  return { from, to };
}

it('sends messages of all lengths, as a server understands them', async () => {
  const { from, to } = await connect();
  const writer = new FrameWriter(from);
  const got: Buffer[] = [];
  to.on('message', (data: Buffer) => got.push(data));
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 300_001, 70_000, 5];
  const payloads = sizes.map((size) => Buffer.alloc(size, `${size} bytes of a message `));
  // some while the one before has not left yet, some after it
  for (const payload of payloads) writer.send(payload);
  for (const payload of payloads) await new Promise((resolve) => writer.send(payload, resolve));
  from.end();
  await once(to, 'close');
  expect(got).toEqual([...payloads, ...payloads]);
});

it('leaves what it was given as it is, and masks it differently each time', async () => {
  const to = new PassThrough();
  const writer = new FrameWriter(to);
  const payload = Buffer.from('payload');
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    writer.send(payload);
    seen.add(to.read().toString('hex'));
  }
  expect([payload.toString(), seen.size > 4990]).toEqual(['payload', true]);
});

it('says when a message could not be sent', async () => {
  const to = new Writable({ write: (_chunk, _encoding, done) => done(new Error('gone')) });
  to.on('error', () => undefined);
  const failure = new Promise((resolve) => new FrameWriter(to).send(Buffer.from('x'), resolve));
  expect(await failure).toMatchObject({ message: 'gone' });
});

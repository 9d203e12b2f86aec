import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { formatOpStart } from '@sprites/contract/exec';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { ExecConnection } from '../testing/exec-connection.ts';

let agent: AgentProcess;
const servers: Server[] = [];
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Listens on a free port and does `serve` for each connection. */
async function listen(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  servers.push(server);
  await once(server.listen(0, host), 'listening');
  // A TCP server has an address of this form.
  return (server.address() as AddressInfo).port;
}

async function open(request: object): Promise<ExecConnection> {
  const connection = await ExecConnection.open(agent.socketPath, '/v1/proxy');
  connection.sendJson(request);
  return connection;
}

describe('the proxy', () => {
  it('answers by text, and passes bytes both ways', async () => {
    const port = await listen((socket) => socket.pipe(socket));
    const connection = await open({ host: 'localhost', port });
    await connection.until(({ texts }) => texts.length > 0);
    expect(connection.texts).toEqual([{ status: 'connected', target: `localhost:${port}` }]);
    connection.socket.send(Buffer.from('hello'));
    await connection.until(({ messages }) => messages.length > 0);
    expect(Buffer.concat(connection.messages).toString()).toBe('hello');
    connection.socket.close();
    expect((await connection.result()).closeCode).toBe(1000);
  });

  it('sends what the target says first and last, and closes with 1000', async () => {
    const port = await listen((socket) => socket.end('banner'));
    const { raw, closeCode, texts } = await (await open({ port })).result();
    expect([raw.toString(), closeCode, texts.length]).toEqual(['banner', 1000, 1]);
  });

  it('finds what listens on ::1 only', async () => {
    const port = await listen((socket) => socket.end('six'), '::1');
    expect((await (await open({ host: 'localhost', port })).result()).raw.toString()).toBe('six');
    const connection = await open({ host: '::1', port });
    expect((await connection.result()).texts).toEqual([{ status: 'connected', target: `[::1]:${port}` }]);
  });

  it('says that nobody listens', async () => {
    const port = await listen(() => undefined);
    servers.pop()?.close();
    const { texts, closeCode } = await (await open({ host: '127.0.0.1', port })).result();
    expect(texts).toEqual([
      { status: 'refused', target: `127.0.0.1:${port}`, error: `127.0.0.1:${port}: connection refused` },
    ]);
    expect(closeCode).toBe(1011);
  });

  it.each([
    [{ port: 0 }, /bad port 0/],
    [{ port: 'x' }, /bad port "x"/],
    [{ host: 'a b', port: 1 }, /bad host/],
    [[1], /first message/],
    [{ host: 'nowhere.invalid', port: 80 }, /no such host|cannot be resolved/],
  ])('refuses %j', async (request, reason) => {
    const { texts, closeCode } = await (await open(request)).result();
    expect(texts).toEqual([{ status: 'error', error: expect.stringMatching(reason) }]);
    expect(closeCode).not.toBe(1000);
  });

  it('lets each side end apart for those who ask for it', async () => {
    const port = await listen((socket) => {
      let text = '';
      socket.on('data', (bytes: Buffer) => {
        text += bytes;
      });
      socket.on('end', () => socket.end(`got ${text}`));
    });
    const connection = await open({ port, half_close: true });
    await connection.until(({ texts }) => texts.length > 0);
    connection.socket.send(Buffer.from('all'));
    connection.sendJson({ type: 'end' });
    const { raw, texts, closeCode } = await connection.result();
    expect([raw.toString(), texts.at(-1), closeCode]).toEqual(['got all', { type: 'end' }, 1000]);
  });

  it('loses nothing of 64 MiB to a slow reader, and holds little of it', async () => {
    const size = 64 * 1024 * 1024;
    let sent = 0;
    const port = await listen((socket) => {
      const send = (): void => {
        while (sent < size) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536, sent / 65_536))) return;
        }
        socket.end();
      };
      socket.on('drain', send);
      send();
    });
    const connection = await open({ port });
    await connection.until(({ messages }) => messages.length > 0);
    connection.socket.pause();
    await expect
      .poll(async () => {
        const before = sent;
        await new Promise(setImmediate);
        return sent === before && sent < size;
      })
      .toBe(true);
    connection.socket.resume();
    const { raw } = await connection.result();
    expect(raw.length).toBe(size);
    expect(raw[size - 1]).toBe((size / 65_536) & 0xff);
  });

  it('tells of a target that breaks off', async () => {
    const port = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const connection = await open({ port });
    await connection.until(({ texts }) => texts.length > 0);
    connection.socket.send(Buffer.from('x'));
    expect((await connection.result()).closeCode).toBe(1011);
  });

  it('lets go of the target when the client is gone', async () => {
    const ended = Promise.withResolvers<void>();
    const port = await listen((socket) => {
      socket.resume();
      socket.on('close', () => ended.resolve());
      socket.on('end', () => socket.end());
    });
    const connection = await open({ port });
    await connection.until(({ texts }) => texts.length > 0);
    connection.socket.terminate();
    await ended.promise;
  });

  it('is an operation of control connections, too', async () => {
    const port = await listen((socket) => socket.once('data', (bytes) => socket.end(bytes)));
    const connection = await ExecConnection.open(agent.socketPath, '/v1/control');
    connection.socket.send(formatOpStart('proxy', { host: 'localhost', port }));
    await connection.until(({ texts }) => texts.length > 0);
    connection.socket.send(Buffer.from('echo'));
    await connection.until(({ texts }) => texts.length > 1);
    expect(connection.texts).toEqual([
      { status: 'connected', target: `localhost:${port}` },
      { type: 'op.complete', args: { exitCode: 0 } },
    ]);
    expect(Buffer.concat(connection.messages).toString()).toBe('echo');
  });
});

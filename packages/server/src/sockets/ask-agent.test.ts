import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { askAgent, readText } from './ask-agent.ts';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A stream to an agent that is nothing but this function. */
async function fixture(agent: (socket: Socket) => void): Promise<Duplex> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => agent(socket));
    closing.push(() => socket.destroy());
  });
  closing.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the fixture has no port');
  const stream = connect(address.port, '127.0.0.1');
  closing.push(() => stream.destroy());
  return stream;
}

const question = { method: 'GET', path: '/v1/health', headers: ['Host', 'sprite', 'Connection', 'close'] };

/** Writes the text over and over as long as somebody takes it. */
function flood(socket: Socket, head: string, text: string): void {
  socket.write(head);
  const write = (): void => {
    while (!socket.destroyed && socket.write(text));
  };
  socket.on('drain', write);
  write();
}

describe('askAgent', () => {
  it('gives an ordinary answer', async () => {
    const stream = await fixture((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    const reply = await askAgent(stream, question);
    expect(reply.type).toBe('answer');
    expect(await readText(reply.answer, 100)).toBe('ok');
  });

  it('gives what follows a change of protocol', async () => {
    const head = 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    const stream = await fixture((socket) => socket.write(`${head}\x81\x00`));
    const headers = ['Host', 'sprite', 'Connection', 'upgrade', 'Upgrade', 'websocket'];
    const reply = await askAgent(stream, { ...question, headers });
    expect(reply).toMatchObject({ type: 'upgraded', first: Buffer.from([0xc2, 0x81, 0]) });
  });

  it.each([
    ['ends', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['talks nonsense', (socket: Socket) => socket.write('\x16\x03\x01 hello\r\n\r\n')],
    ['never ends its headers', (socket: Socket) => flood(socket, 'HTTP/1.1 200 OK\r\n', 'a: b\r\n')],
    ['sends one endless header', (socket: Socket) => flood(socket, 'HTTP/1.1 200 OK\r\na: ', 'bbbbbbbb')],
    ['sends interim answers', (socket: Socket) => flood(socket, '', 'HTTP/1.1 102 X\r\n\r\n')],
    [
      'gives two lengths',
      (socket: Socket) =>
        socket.write(
          'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n',
        ),
    ],
  ])('fails when the agent %s', async (_, agent) => {
    const stream = await fixture(agent);
    await expect(askAgent(stream, question)).rejects.toThrow();
  });

  it('settles when the agent changes the protocol without being asked', async () => {
    const head = 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    const stream = await fixture((socket) => socket.write(head));
    expect((await askAgent(stream, question)).type).toBe('upgraded');
  });

  it('gives up when told to, also on an agent that drips', async () => {
    const stream = await fixture((socket) => {
      const timer = setInterval(() => socket.write('H'), 20);
      closing.push(() => clearInterval(timer));
    });
    const signal = AbortSignal.timeout(100);
    await expect(askAgent(stream, { ...question, signal })).rejects.toThrow();
    expect(stream.destroyed).toBe(true);
  });
});

describe('readText', () => {
  it('stops at its bound', async () => {
    const stream = await fixture((socket) => flood(socket, 'HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(1024)));
    const reply = await askAgent(stream, question);
    await expect(readText(reply.answer, 4096)).rejects.toThrow('longer than 4096 bytes');
  });

  it('fails on a body that is cut', async () => {
    const stream = await fixture((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const reply = await askAgent(stream, question);
    await expect(readText(reply.answer, 4096)).rejects.toThrow();
  });

  it('gives up when told to', async () => {
    const stream = await fixture((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const reply = await askAgent(stream, { ...question, signal: AbortSignal.timeout(100) });
    await expect(readText(reply.answer, 4096)).rejects.toThrow();
  });
});

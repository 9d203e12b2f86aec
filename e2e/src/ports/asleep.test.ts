import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upgrade } from '../http.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();

// Takes any upgrade, and then says nothing.
const webSocketServer = `
import socket, threading
def serve(c):
    c.recv(4096); c.sendall(b'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: x\\r\\n\\r\\n')
    c.recv(1)
s = socket.socket(); s.bind(('127.0.0.1', 8080)); s.listen()
while True: threading.Thread(target=serve, args=(s.accept()[0],)).start()
`;

let sprite: Sprite;

beforeAll(async () => {
  const client = new SpritesClient(server.token, { baseURL: server.baseURL });
  const options = { urlSettings: { auth: 'public' }, idle: { warmAfterS: 'never' } } as const;
  sprite = await client.createSprite(uniqueName('asleep'), options);
});
afterAll(async () => {
  await sprite?.delete();
});

async function openSocket(path: string): Promise<Socket> {
  const outcome = await upgrade(server, `/v1/sprites/${sprite.name}/${path}`);
  if ('refusal' in outcome) throw new Error(outcome.refusal.message);
  return outcome.socket;
}

/** Connects the proxy with the server on port 8080, by one masked text message. */
async function openProxy(): Promise<Socket> {
  const socket = await openSocket('proxy');
  const text = JSON.stringify({ host: 'localhost', port: 8080 });
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
  await once(socket, 'data');
  return socket;
}

async function openUrl(): Promise<Socket> {
  const { url = '' } = await sprite.client.getSprite(sprite.name);
  const { hostname, port } = new URL(server.baseURL);
  const socket = connect(Number(port), hostname);
  const head = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: x',
  ];
  socket.write(`GET / HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${head.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  return socket;
}

/** The code of the close message that comes last, at the end of the connection. */
async function closeCode(socket: Socket): Promise<number> {
  let bytes = Buffer.alloc(0);
  socket.on('data', (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece]);
  });
  await once(socket, 'close');
  const at = bytes.lastIndexOf(0x88);
  return at < 0 ? 0 : bytes.readUInt16BE(at + 2);
}

describe('a WebSocket that is open when its sprite is put to sleep', () => {
  it.each(['warm', 'cold'] as const)('ends with a code, whatever it carries (%s)', async (to) => {
    const listening = sprite.spawn('python3', ['-c', webSocketServer]);
    listening.on('error', () => undefined);
    await sprite.execFile('sh', ['-c', 'until ss -ltn | grep -q :8080; do sleep 0.02; done']);
    const sockets = [
      await openProxy(),
      await openUrl(),
      await openSocket('ports/watch'),
      await openSocket('control'),
    ];
    const codes = Promise.all(sockets.map(closeCode));
    expect((await sprite.sleep({ to })).status).toBe(to);
    expect(await codes).toEqual([1001, 1001, 1001, 1001]);
    await sprite.execFile('pkill', ['-f', 'Switching']).catch(() => undefined);
  });
});

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cli/until.ts';
import { testServer, uniqueName } from '../server.ts';
import { exchange, hostOf, open, parse, send } from './client.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });
const program = await readFile(new URL('./faults.py', import.meta.url), 'utf8');

const numbersBytes = 32 * 1024 * 1024;

function digestOfNumbers(): string {
  const hash = createHash('sha256');
  const block = Buffer.alloc(64 * 1024);
  for (let next = 0; next * 4 < numbersBytes; ) {
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(next++, at);
    hash.update(block);
  }
  return hash.digest('hex');
}

/** Digest of the `length` bytes that end what comes, read with a rest after each piece. */
async function readSlowly(socket: Socket, length: number): Promise<string> {
  let bytes = Buffer.alloc(0);
  const hash = createHash('sha256');
  let taken = -1;
  for await (const piece of socket) {
    if (taken < 0) {
      bytes = Buffer.concat([bytes, piece]);
      const end = bytes.lastIndexOf('\r\n\r\n', 4096);
      if (!bytes.includes('Content-Length: 33554432') || end < 0) continue;
      hash.update(bytes.subarray(end + 4));
      taken = bytes.length - end - 4;
    } else {
      hash.update(piece);
      taken += piece.length;
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (taken >= length) break;
  }
  return taken === length ? hash.digest('hex') : `${taken} bytes`;
}

describe('a request to the URL of a sprite that breaks half-way', () => {
  let sprite: Sprite;
  let host: string;

  const note = async (name: string): Promise<string> =>
    String((await sprite.execFile('sh', ['-c', `cat /tmp/${name} 2>/dev/null || true`])).stdout);
  const holds = async (): Promise<readonly string[]> =>
    ((await client.getSprite(sprite.name)).info?.lifecycle.heldBy ?? []).map(({ label }) => label);
  const serve = async (): Promise<void> => {
    await sprite.execFile('sh', ['-c', 'setsid python3 /tmp/faults.py 8080 >/dev/null 2>&1 </dev/null &']);
    await until(async () => (await send(host)).status === 200);
  };

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('cut'), { urlSettings: { auth: 'public' } });
    host = hostOf((await client.getSprite(sprite.name)).url ?? '');
    await sprite.execFile('sh', ['-c', 'cat > /tmp/faults.py'], { input: program });
    await serve();
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('gives a slow client every byte in its place', async () => {
    const socket = open();
    socket.write(`GET /numbers HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(await readSlowly(socket, numbersBytes)).toBe(digestOfNumbers());
  });

  it('does so on a connection that began with the API', async () => {
    const api = new URL(baseURL).host;
    const socket = open();
    socket.write(`GET /healthz HTTP/1.1\r\nHost: ${api}\r\n\r\n`);
    await once(socket, 'data');
    socket.write(`GET /numbers HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(await readSlowly(socket, numbersBytes)).toBe(digestOfNumbers());
  });

  it('answers a client that sends no more', async () => {
    const socket = open();
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    socket.end(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(parse(text)).toMatchObject({ status: 200, body: 'ok' });
  });

  it('lets the program see that the client of an upload is gone, and keeps nothing of it', async () => {
    const socket = open();
    socket.write(`POST /up HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000000\r\n\r\nthe beginning`);
    await until(async () => (await note('upload-begun')) === 'yes');
    expect(await holds()).toContain('url');
    socket.destroy();
    await until(async () => (await note('upload-ended')) === '999987 missing');
    await until(async () => !(await holds()).includes('url'));
  });

  it('lets the program see that the client of an answer without end is gone', async () => {
    const socket = open();
    socket.write(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    await until(async () => /^(BrokenPipe|ConnectionReset)Error$/.test(await note('endless-ended')));
    await until(async () => !(await holds()).includes('url'));
  });

  it('is cut when the program dies, and the next one is told that nobody listens', async () => {
    const socket = open();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await once(socket, 'data');
    socket.resume();
    await sprite.execFile('pkill', ['-9', '-f', 'faults.py']);
    await closed;
    await until(async () => !(await holds()).includes('url'));
    const text = await exchange(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(parse(text).status).toBe(502);
    expect(text).toContain('port_unreachable');
    await serve();
  });
});

describe('a server that takes few connections', () => {
  it('closes those above at once, and serves the next when one has ended', async () => {
    await using server = await startTestServer({ settings: { SPRITES_MAX_CONNECTIONS: '16' } });
    const { hostname, port } = new URL(server.baseUrl);
    const opened: Socket[] = [];
    try {
      const one = (): Socket => {
        const socket = connect({ host: hostname, port: Number(port) });
        socket.on('error', () => socket.destroy());
        opened.push(socket);
        return socket;
      };
      const ask = async (): Promise<string> => {
        const socket = one();
        let text = '';
        socket.on('data', (bytes: Buffer) => {
          text += bytes.toString('latin1');
        });
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.write('GET / HTTP/1.1\r\nHost: no-one.sprites.localhost\r\nConnection: close\r\n\r\n');
        await closed;
        return text;
      };
      await until(async () => /^HTTP\/1\.1 401 /.test(await ask()));
      const held = Array.from({ length: 16 }, one);
      for (const socket of held) await once(socket, 'connect');
      expect(await ask()).toBe('');
      held[0]?.destroy();
      await until(async () => /^HTTP\/1\.1 401 /.test(await ask()));
    } finally {
      for (const socket of opened) socket.destroy();
    }
  });
});

import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonAsRoot } from './inside.ts';

const cookie = 'session=only-for-the-server';
let server: TestServer;
let client: SpritesClient;
/** the sprite whose root sits in the agent's place */
let hostile: Sprite;
let honest: Sprite;

beforeAll(async () => {
  server = await startTestServer();
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  [hostile, honest] = await Promise.all([client.createSprite('hostile'), client.createSprite('honest')]);
  await Promise.all([hostile.execFile('true'), honest.execFile('true')]);
  const program = await readFile(path.join(import.meta.dirname, 'hostile-agent.py'), 'utf8');
  expect(await pythonAsRoot(hostile, program)).toBe('ready');
  await sleep(1000);
});

afterAll(async () => {
  await server?.close();
});

function head(method: string, answer: string, headers: readonly string[] = []): string {
  const lines = [
    `${method} /v1/sprites/hostile/exec?cmd=${answer} HTTP/1.1`,
    'Host: sprites',
    `Authorization: Bearer ${server.token}`,
    `authorization: Bearer ${server.token}`,
    `Proxy-Authorization: Bearer ${server.token}`,
    `Cookie: ${cookie}`,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const post = (answer: string): string => head('POST', answer, ['Content-Length: 0', 'Connection: close']);
const upgrade = (answer: string): string =>
  head('GET', answer, [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
  ]);

async function open(text: string): Promise<Socket> {
  const url = new URL(server.baseUrl);
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return socket;
}

/** Sends bytes on a connection of its own; what came back until it was closed, or for as long as it was waited for. */
async function send(
  text: string,
  waitMs = 4000,
): Promise<{ readonly said: string; readonly closed: boolean }> {
  const socket = await open(text);
  let said = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    said = (said + part).slice(0, 100_000);
  });
  const closed = await Promise.race([
    new Promise<boolean>((resolve) => socket.once('close', () => resolve(true))),
    sleep(waitMs, false),
  ]);
  socket.destroy();
  return { said, closed };
}

async function memoryOfServer(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

async function expectOthersServed(): Promise<void> {
  const { stdout } = await honest.execFile('echo', ['served'], { signal: AbortSignal.timeout(10_000) });
  expect(stdout).toBe('served\n');
}

describe('an agent that root of its sprite has replaced', () => {
  it.each(['nothing', 'garbage', 'headers', 'header', 'interim', 'switch', 'lengths', 'status'])(
    'and that answers a command with "%s" makes that request fail, and no other',
    async (answer) => {
      const { said } = await send(post(answer));
      expect(said).toMatch(/^HTTP\/1\.1 50[0-9] /);
      expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(said).not.toContain('forged');
      await expectOthersServed();
    },
  );

  it.each(['short', 'chunks'])('and whose answer is "%s" gets the connection cut', async (answer) => {
    const { said, closed } = await send(post(answer));
    expect(closed).toBe(true);
    expect(said).not.toContain('\r\n0\r\n\r\n');
    await expectOthersServed();
  });

  it('cannot put a second answer behind its own', async () => {
    const { said } = await send(head('POST', 'long', ['Content-Length: 0']), 1500);
    expect(said).toContain('abc');
    expect(said).not.toContain('forged');
  });

  it('cannot set a cookie or a header of its own for the server’s address', async () => {
    const answers = [await send(post('extra'), 1500), await send(upgrade('join'), 1500)];
    for (const { said } of answers) {
      expect(said).toMatch(/^HTTP\/1\.1 (200|101) /);
      expect(said.toLowerCase()).not.toMatch(/set-cookie|x-own/);
    }
  });

  it('gets nothing of what a client sends behind an upgrade that it did not accept', async () => {
    const socket = await open(upgrade('split'));
    let said = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      said += part;
    });
    await sleep(500);
    // what a proxy that keeps its connections would send next, for somebody else
    socket.write(
      `GET /v1/sprites HTTP/1.1\r\nHost: sprites\r\nAuthorization: Bearer next-${server.token}\r\n\r\n`,
    );
    await sleep(500);
    expect(socket.destroyed || socket.readableEnded).toBe(true);
    expect(said).not.toContain('forged');
    expect(said.toLowerCase()).toContain('connection: close');
    expect(await seen()).not.toContain('next-');
  });

  it.each(['garbage', 'headers', 'nothing', 'refuse'])(
    'and that answers an upgrade with "%s" makes it fail with one whole answer',
    async (answer) => {
      const { said, closed } = await send(upgrade(answer));
      expect(closed).toBe(true);
      expect(said).toMatch(/^HTTP\/1\.1 50[0-9] /);
      expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
      await expectOthersServed();
    },
  );

  it('that keeps silent or drips holds up nobody else', async () => {
    const waiting = await Promise.all(
      ['silence', 'drip'].flatMap((answer) => [open(post(answer)), open(upgrade(answer))]),
    );
    await expectOthersServed();
    for (const socket of waiting) socket.destroy();
  });

  it('that never ends its answer fills no memory of the server when nobody reads it', async () => {
    const before = await memoryOfServer();
    const unread = await Promise.all([1, 2, 3].map(() => open(post('body'))));
    for (const socket of unread) socket.pause();
    await sleep(3000);
    expect((await memoryOfServer()) - before).toBeLessThan(128 * 1024 * 1024);
    await expectOthersServed();
    for (const socket of unread) socket.destroy();
  });

  it('never saw a token or a cookie of a caller', async () => {
    const text = await seen();
    // it did see the requests, so it would have seen these
    expect(text).toContain('POST /v1/exec?cmd=garbage');
    expect(text).toContain('GET /v1/exec?cmd=join');
    expect(text).not.toContain(server.token);
    expect(text).not.toContain(cookie);
    expect(text.toLowerCase()).not.toMatch(/authorization|cookie/);
  });

  it('is gone after a restart, which it cannot hold up', async () => {
    await hostile.restart();
    const { stdout } = await hostile.execFile('echo', ['back'], { signal: AbortSignal.timeout(30_000) });
    expect(stdout).toBe('back\n');
  });
});

/** Everything that the server sent into the hostile sprite so far. */
async function seen(): Promise<string> {
  const disk = path.join(server.runDir, 'disks', hostile.id ?? '', 'upper/root/seen');
  return await readFile(disk, 'latin1');
}

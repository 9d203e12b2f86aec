import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { asRoot, pythonAsRoot } from './inside.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
let sprite: Sprite;
let sibling: Sprite;
let listener: Server;
let connections = 0;

const connect = `
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(':', 1)
    try:
        socket.create_connection((host, int(port)), timeout=1.5).close()
        print('REACHED', target)
    except OSError as error:
        print('refused', target)`;

beforeAll(async () => {
  listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, '0.0.0.0', resolve));
  [sprite, sibling] = await Promise.all([
    client.createSprite(uniqueName('net')),
    client.createSprite(uniqueName('net')),
  ]);
  const serve = 'python3 -m http.server 8000 --bind 0.0.0.0 >/dev/null 2>&1 & sleep 1';
  await Promise.all([sprite.execFile('true'), sibling.execFile('sh', ['-c', serve])]);
});

afterAll(async () => {
  await Promise.all([sprite.delete(), sibling.delete()]);
  await new Promise((resolve) => listener.close(resolve));
});

async function addressOf(one: Sprite): Promise<string> {
  const { stdout } = await one.execFile('hostname', ['-I']);
  return stdout.trim().split(' ')[0] ?? '';
}

describe('the network of a sprite', () => {
  it('reaches no port of the host on any of its addresses', async () => {
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { said: route } = await asRoot(sprite, 'ip -4 route show default');
    const gateway = /via (\S+)/.exec(route)?.[1] ?? '';
    const hosts = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map((info) => info.address);
    const apiPort = new URL(server.baseURL).port;
    const targets = [gateway, ...hosts].flatMap((host) => [
      `${host}:${port}`,
      `${host}:${apiPort}`,
      `${host}:22`,
    ]);
    const said = await pythonAsRoot(sprite, connect, ...targets);
    expect(said.split('\n')).toEqual(targets.map((target) => `refused ${target}`));
    expect(connections).toBe(0);
  });

  it('reaches no other sprite, also under a borrowed address', async () => {
    const target = `${await addressOf(sibling)}:8000`;
    expect(await pythonAsRoot(sprite, connect, target)).toBe(`refused ${target}`);
    await asRoot(
      sprite,
      `ip addr add ${await addressOf(sibling)}/32 dev eth0; ip addr del ${await addressOf(sprite)}/32 dev eth0`,
    );
    const answer = await asRoot(sprite, 'timeout 3 getent hosts example.com && echo ANSWERED');
    expect(answer.said).not.toContain('ANSWERED');
    await sprite.restart();
    expect((await sprite.execFile('true')).exitCode).toBe(0);
  });

  it('reaches no metadata service and no private range', async () => {
    const targets = ['169.254.169.254:80', '10.0.0.1:80', '172.17.0.1:80', '192.168.0.1:80', '100.64.0.1:80'];
    const said = await pythonAsRoot(sprite, connect, ...targets);
    expect(said.split('\n')).toEqual(targets.map((target) => `refused ${target}`));
  });

  it('has a loopback interface of its own', async () => {
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    expect(await pythonAsRoot(sprite, connect, `127.0.0.1:${port}`)).toContain('refused');
    expect(connections).toBe(0);
  });
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { type PortWatcher, type Sprite, SpritesClient } from '@fly/sprites';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { echoServer } from './echo-server.ts';
import { findFreePort } from './free-port.ts';

const { baseURL, token } = testServer();

describe('ports through the official JS SDK', () => {
  let sprite: Sprite;
  let watcher: PortWatcher;

  beforeAll(async () => {
    sprite = await new SpritesClient(token, { baseURL }).createSprite(uniqueName('jsport'));
    watcher = await sprite.watchPorts();
    expect(await watcher.next()).toEqual({ type: 'port_list', ports: [] });
  });
  afterAll(async () => {
    watcher?.close();
    await sprite?.destroy();
  });

  /** Starts an echo server in the sprite and waits until it is told of. */
  async function run(port: number, greeting: string): Promise<void> {
    const command = sprite.spawn('python3', ['-c', echoServer, String(port), greeting]);
    command.wait().catch(() => undefined);
    expect(await watcher.next()).toMatchObject({ type: 'port_opened', port, address: '127.0.0.1' });
  }

  /** Says something at once, and ends when that has come back. */
  async function talk(port: number, text: string): Promise<string> {
    const socket = connect(port, 'localhost');
    let got = '';
    socket.on('data', (bytes) => {
      got += bytes;
      if (got.endsWith(text)) socket.end();
    });
    socket.write(text);
    await once(socket, 'close');
    return got;
  }

  it('are connected to by the proxy, also when the target speaks first', async () => {
    await run(7000, 'banner\n');
    const port = await findFreePort();
    const proxy = await sprite.proxyPort(port, 7000);
    const socket = connect(port, 'localhost');
    const [banner] = await once(socket, 'data');
    expect(String(banner)).toBe('banner\n');
    socket.destroy();
    proxy.close();
  });

  it('are connected to many times at once', async () => {
    await run(7001, '');
    const port = await findFreePort();
    const proxy = await sprite.proxyPort(port, 7001);
    const texts = Array.from({ length: 20 }, (_, index) => `text-${index}-`);
    expect(await Promise.all(texts.map((text) => talk(port, text)))).toEqual(texts);
    proxy.close();
  });

  it('close a connection to where nobody listens', async () => {
    const port = await findFreePort();
    const proxy = await sprite.proxyPort(port, 7999);
    const socket = connect(port, 'localhost');
    await once(socket, 'close');
    proxy.close();
  });
});

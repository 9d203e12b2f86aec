import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';
import { echoServer } from './echo-server.ts';
import { findFreePort } from './free-port.ts';

const server = testServer();

describe('ports through the command line', () => {
  let cli: CommandLine;
  let sprite: Sprite;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    const client = new SpritesClient(server.token, { baseURL: server.baseURL });
    sprite = await client.createSprite(uniqueName('ports'));
    const events = await sprite.watchPorts();
    await events.next();
    for (const [port, greeting] of [['7000', 'banner\n'] as const, ['7001', ''] as const]) {
      sprite.spawn('python3', ['-c', echoServer, port, greeting]).on('error', () => undefined);
      await events.next();
    }
    events.close();
  });
  afterAll(async () => {
    await sprite?.destroy();
    await cli?.close();
  });

  const run = (args: readonly string[], options?: Parameters<CommandLine['run']>[1]) =>
    cli.run([args[0] ?? '', '-s', sprite.name, ...args.slice(1)], options);

  /** Says `text` at a local port and reads the answer to its end. */
  async function ask(port: number, text: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    socket.on('data', (bytes) => {
      got += bytes;
    });
    socket.end(text);
    await once(socket, 'close');
    return got;
  }

  it('are listed', async () => {
    const { text } = await run(['ports']);
    expect(text).toMatch(/^PORT +ADDRESS +PID\n7000 +127\.0\.0\.1 +\d+\n7001 +127\.0\.0\.1 +\d+\n$/);
    expect(JSON.parse((await run(['ports', '--json'])).text)).toHaveLength(2);
  });

  it('are several at once at ports of this machine, and each direction ends apart', async () => {
    const [one, two] = [await findFreePort(), await findFreePort()];
    const ended = await run(['proxy', `${one}:7000`, `${two}:127.0.0.1:7001`], {
      during: async (pid) => {
        await expect.poll(() => ask(two, 'hello').catch(() => ''), { timeout: 10_000 }).toBe('hello');
        expect(await ask(one, 'hello')).toBe('banner\nhello');
        process.kill(pid, 'SIGINT');
      },
    });
    expect([ended.code, ended.stderr]).toEqual([
      0,
      `✓ 127.0.0.1:${one} is port 7000 of ${sprite.name}\n✓ 127.0.0.1:${two} is port 7001 of 127.0.0.1 seen from ${sprite.name}\n`,
    ]);
  });

  it('say who has the local port', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { code, stderr } = await run(['proxy', String(port)]);
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} of this machine is taken by `);
    expect(stderr).toContain(`(pid ${process.pid}); use another, such as \`sprite proxy `);
    taken.close();
  });

  it('tell of an unknown sprite before there is a connection', async () => {
    const { code, stderr } = await cli.run(['proxy', '-s', 'no-such-sprite', '7000']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('sprite no-such-sprite not found')]);
  });

  it('can be stdin and stdout', async () => {
    const { code, text } = await run(['proxy', '-W', ':7000'], { input: 'all of it' });
    expect([code, text]).toEqual([0, 'banner\nall of it']);
    const refused = await run(['proxy', '-W', 'localhost:7999']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('connection refused')]);
  });

  it('are forwarded while the command that opened them runs, unless told otherwise', async () => {
    const port = await findFreePort();
    const listen = ['--', 'python3', '-c', echoServer, String(port), 'from inside\n'];
    const ended = await run(['exec', ...listen], {
      during: async (pid) => {
        await expect.poll(() => ask(port, 'x').catch(() => ''), { timeout: 10_000 }).toBe('from inside\nx');
        process.kill(pid, 'SIGTERM');
      },
    });
    expect(ended.stderr).toBe(`sprite: port ${port} of the sprite is at http://127.0.0.1:${port}\n`);
    const events = await sprite.watchPorts();
    const left = await run(['exec', '--no-port-forward', ...listen], {
      during: async (pid) => {
        for (let event = await events.next(); event !== null; event = await events.next()) {
          if (event.type === 'port_opened' && event.port === port) break;
        }
        await expect(ask(port, 'x')).rejects.toThrow('ECONNREFUSED');
        process.kill(pid, 'SIGTERM');
      },
    });
    events.close();
    expect(left.stderr).toBe('');
  });

  it('are forwarded at the console, too', async () => {
    const port = await findFreePort();
    const terminal = cli.terminal(['console', '-s', sprite.name]);
    await terminal.see('$');
    terminal.type(`python3 -m http.server --bind 127.0.0.1 ${port} >/dev/null 2>&1 &\r`);
    await terminal.see(`http://127.0.0.1:${port}`);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    terminal.type('kill %1; exit 4\r');
    expect(await terminal.end()).toBe(4);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
  });
});

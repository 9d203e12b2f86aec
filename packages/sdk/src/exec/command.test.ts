import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { APIError, ConnectionError, ExecError } from '../errors.ts';
import { endSession, openFakeServer, output, sessionInfo } from '../fake-server.ts';

describe('execFile', () => {
  it('returns both streams of a command that ends with 0', async () => {
    let query: URLSearchParams | undefined;
    let header: string | undefined;
    await using server = await openFakeServer({
      socket: (socket, url, request) => {
        query = url.searchParams;
        header = request.headers.authorization;
        socket.send(sessionInfo());
        socket.send(output(1, 'out'));
        socket.send(output(2, 'err'));
        endSession(socket, 0);
      },
    });
    const result = await server.client
      .sprite('demo')
      .execFile('echo', ['a b', 'c'], { cwd: '/tmp', env: { K: 'v=1' } });
    expect(result).toEqual({ stdout: 'out', stderr: 'err', exitCode: 0 });
    expect(query?.getAll('cmd')).toEqual(['echo', 'a b', 'c']);
    expect(query?.get('dir')).toBe('/tmp');
    expect(query?.getAll('env')).toEqual(['K=v=1']);
    expect(header).toBe('Bearer a/b/c/d');
  });

  it('throws an ExecError with the output for any other status', async () => {
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        socket.send(output(2, 'no such thing'));
        endSession(socket, 3);
      },
    });
    const error = await server.client
      .sprite('demo')
      .exec('false')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ExecError);
    expect(error).toMatchObject({ exitCode: 3, stderr: 'no such thing' });
  });

  it('sends the input and its end', async () => {
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        const got: Buffer[] = [];
        socket.on('message', (data) => {
          if (!Buffer.isBuffer(data)) return;
          if (data[0] === 0) got.push(data.subarray(1));
          if (data[0] !== 4) return;
          const hash = createHash('sha256').update(Buffer.concat(got)).digest('hex');
          socket.send(output(1, hash));
          endSession(socket, 0);
        });
      },
    });
    const input = Buffer.alloc(300_000, 'abc');
    const { stdout } = await server.client.sprite('demo').execFile('sha256sum', [], { input });
    expect(stdout).toBe(createHash('sha256').update(input).digest('hex'));
  });

  it('stops a command that says more than maxBuffer', async () => {
    const told: string[] = [];
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        socket.on('message', (data, isBinary) => {
          if (!isBinary) told.push(data.toString());
        });
        for (let i = 0; i < 20; i++) socket.send(output(1, 'x'.repeat(1000)));
      },
    });
    const run = server.client.sprite('demo').execFile('yes', [], { maxBuffer: 10_000 });
    await expect(run).rejects.toThrow('maxBuffer');
    await expect.poll(() => told).toContain('{"type":"signal","signal":"SIGKILL"}');
  });

  it('reports why an upgrade was refused', async () => {
    await using server = await openFakeServer({
      refuse: () => ({ status: 404, body: { error: 'sprite_not_found', message: 'sprite demo not found' } }),
    });
    const error = await server.client
      .sprite('demo')
      .exec('true')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      statusCode: 404,
      errorCode: 'sprite_not_found',
      message: 'sprite demo not found',
    });
  });

  it('does not take a lost connection for an end', async () => {
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        socket.send(output(1, 'half'), () => socket.close(1011, 'sprite stopped'));
      },
    });
    const error = await server.client
      .sprite('demo')
      .exec('sleep')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: 'closed', sessionId: '7' });
  });

  it('reports a server that is not there', async () => {
    const server = await openFakeServer({});
    await server[Symbol.asyncDispose]();
    await expect(server.client.sprite('demo').exec('true')).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('spawn', () => {
  it('slows the server down while nobody reads, and loses nothing', async () => {
    const total = 64 * 1_048_576;
    let sent = 0;
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        const frame = Buffer.alloc(32_768, 1);
        const next = (): void => {
          if (sent >= total) {
            endSession(socket, 0);
            return;
          }
          sent += frame.length - 1;
          socket.send(frame, next);
        };
        next();
      },
    });
    const command = server.client.sprite('demo').spawn('cat', ['big']);
    await once(command, 'spawn');
    let before = -1;
    await expect
      .poll(() => {
        const still = sent === before;
        before = sent;
        return still && sent > 0;
      })
      .toBe(true);
    expect(sent).toBeLessThan(total / 2);
    let received = 0;
    for await (const chunk of command.stdout) received += chunk.length;
    expect(received).toBe(sent);
    expect(await command.wait()).toBe(0);
  });

  it('tells a terminal its size, signals and raw input', async () => {
    const told: string[] = [];
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo({ tty: true }));
        socket.on('message', (data, isBinary) => {
          told.push(`${isBinary ? 'binary' : 'text'} ${data.toString()}`);
          if (told.length < 3) return;
          socket.send(Buffer.from('\x01raw'));
          socket.send(JSON.stringify({ type: 'exit', exit_code: 130, code: 130 }));
          socket.close(1000);
        });
      },
    });
    const command = server.client.sprite('demo').spawn('bash', [], { tty: true, rows: 10, cols: 20 });
    command.resize(80, 24);
    command.kill('SIGINT');
    command.stdin.end('ls\r');
    const chunks: Buffer[] = [];
    for await (const chunk of command.stdout) chunks.push(chunk);
    expect(await command.wait()).toBe(130);
    expect(Buffer.concat(chunks).toString()).toBe('\x01raw');
    expect(told.toSorted()).toEqual([
      'binary ls\r',
      'text {"type":"resize","cols":80,"rows":24}',
      'text {"type":"signal","signal":"SIGINT"}',
    ]);
  });

  it('lets go without a word to the command, and attaches where it left off', async () => {
    await using server = await openFakeServer({
      socket: (socket, url) => {
        if (url.pathname.endsWith('/exec')) {
          socket.send(sessionInfo({ session_id: '42', tty: true, cursor: 0, end: 0 }));
          socket.send(Buffer.from('hello'));
          return;
        }
        const cursor = Number(url.searchParams.get('cursor'));
        socket.send(sessionInfo({ session_id: '42', tty: true, cursor, end: 20 }));
        socket.send(JSON.stringify({ type: 'gap', from: cursor, to: 10 }));
        socket.send(Buffer.from('world'));
        socket.send(JSON.stringify({ type: 'exit', exit_code: 0, code: 0 }));
        socket.close(1000);
      },
    });
    const sprite = server.client.sprite('demo');
    const first = sprite.createSession('bash');
    await new Promise((resolve) => first.stdout.once('data', resolve));
    first.detach();
    await expect(first.wait()).rejects.toMatchObject({ code: 'detached', sessionId: '42' });
    expect([first.sessionId, first.cursor, first.tty]).toEqual(['42', 5, true]);

    const second = sprite.attachSession('42', { cursor: first.cursor });
    const gaps: unknown[] = [];
    second.on('message', (message) => {
      if (message.type === 'gap') gaps.push(message);
    });
    second.stdout.resume();
    expect(await second.wait()).toBe(0);
    expect(gaps).toEqual([{ type: 'gap', from: 5, to: 10 }]);
    expect(second.cursor).toBe(15);
  });

  it('signals the command and rejects when its caller gives up', async () => {
    const told: string[] = [];
    await using server = await openFakeServer({
      socket: (socket) => {
        socket.send(sessionInfo());
        socket.on('message', (data, isBinary) => {
          if (!isBinary) told.push(data.toString());
        });
      },
    });
    const caller = new AbortController();
    const command = server.client.sprite('demo').spawn('sleep', ['100'], { signal: caller.signal });
    await once(command, 'spawn');
    caller.abort();
    await expect(command.wait()).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => told).toEqual(['{"type":"signal","signal":"SIGTERM"}']);
  });
});

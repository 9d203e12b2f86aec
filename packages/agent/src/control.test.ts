import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { formatOpStart } from '@sprites/contract/exec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ExecConnection } from './testing/exec-connection.ts';

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

const complete = (exitCode: number): object => ({ type: 'op.complete', args: { exitCode } });

async function open(query = ''): Promise<ExecConnection> {
  return await ExecConnection.open(agent.socketPath, `/v1/control${query}`);
}

/** Waits for the answer that ends an operation and takes everything received so far off the connection. */
async function finish(
  connection: ExecConnection,
): Promise<{ readonly texts: readonly object[]; readonly frames: readonly string[] }> {
  await connection.until(({ texts }) => /^op\./.test(String(texts.at(-1)?.type)));
  return { texts: connection.texts.splice(0), frames: connection.messages.splice(0).map(String) };
}

function startExec(connection: ExecConnection, args: Readonly<Record<string, unknown>>): void {
  connection.socket.send(formatOpStart('exec', args));
}

describe('a control connection', () => {
  it('runs one command after another', async () => {
    const connection = await open();
    for (const code of [0, 5]) {
      startExec(connection, { cmd: ['sh', '-c', `echo hi; exit ${code}`], stdin: 'true' });
      connection.endInput();
      expect(await finish(connection)).toEqual({
        texts: [
          expect.objectContaining({ type: 'session_info', tty: false }),
          { type: 'exit', exit_code: code, code },
          complete(code),
        ],
        frames: ['\x01hi\n', `\x03${String.fromCharCode(code)}`],
      });
      connection.sendJson({ type: 'release' });
    }
    connection.socket.close();
    expect(await connection.result()).toMatchObject({ closeCode: 1000 });
  });

  it('takes input with stream ids and json in binary frames, as js sends them', async () => {
    const connection = await open();
    startExec(connection, {
      cmd: ['sh', '-c', 'trap "echo usr1" USR1; read line; echo "$line"; read line; cat'],
      stdin: true,
    });
    connection.write('first\n');
    await connection.until(({ messages }) => messages.length > 0);
    connection.socket.send(Buffer.from('{"type":"signal","signal":"SIGUSR1"}'));
    await connection.until(({ messages }) => Buffer.concat(messages).includes('usr1'));
    connection.write('skipped\n{"type":"resize"}');
    connection.endInput();
    const { frames } = await finish(connection);
    expect(frames.join('')).toContain('{"type":"resize"}');
  });

  it('takes bare input from go, which names the program apart', async () => {
    const connection = await open();
    startExec(connection, { cmd: ['cat'], path: 'cat', stdin: 'true' });
    connection.socket.send(Buffer.from('hello'));
    connection.socket.send(Buffer.of(4));
    expect((await finish(connection)).frames).toEqual(['\x01hello', '\x03\0']);
  });

  it('gives a terminal its default size and raw bytes', async () => {
    const connection = await open();
    startExec(connection, { cmd: ['stty', 'size'], tty: 'true' });
    expect(await finish(connection)).toMatchObject({
      texts: [{ tty: true }, { type: 'exit' }, complete(0)],
      frames: ['24 80\r\n'],
    });
  });

  it('resizes a terminal by text and by binary message', async () => {
    const connection = await open();
    startExec(connection, {
      cmd: ['sh', '-c', 'stty -echo; echo up; while read l; do stty size; done'],
      tty: 'true',
      rows: 30,
      cols: '90',
    });
    const seen = (text: string) => async () =>
      await connection.until(({ messages }) => Buffer.concat(messages).includes(text));
    await seen('up')();
    connection.sendJson({ type: 'resize', rows: 31, cols: 91 });
    connection.socket.send(Buffer.from('\n'));
    await seen('31 91')();
    connection.socket.send(Buffer.from('{"type":"resize","rows":32,"cols":92}'));
    connection.socket.send(Buffer.from('\n'));
    await seen('32 92')();
    connection.socket.send(Buffer.of(4));
    await finish(connection);
  });

  it('answers a command that cannot start as one that ended', async () => {
    const connection = await open();
    startExec(connection, { cmd: ['no-such-command'] });
    const { texts, frames } = await finish(connection);
    expect(texts.at(-1)).toEqual(complete(127));
    expect(frames).toEqual(['\x02no-such-command: command not found\n', '\x03\x7f']);
  });

  it.each([
    ['an unknown operation', () => formatOpStart('dance', {}), /unknown operation "dance"/],
    ['a bad parameter', () => formatOpStart('exec', { cmd: ['x'], env: ['BAD'] }), /bad env/],
    ['a nested parameter', () => formatOpStart('exec', { cmd: [{}] }), /bad cmd/],
    ['a message that is no start', () => 'control:{"type":"op.stop"}', /must be op.start/],
    ['no json', () => 'control:nonsense', /must be op.start/],
    [
      'an unknown session',
      () => formatOpStart('exec', { id: '424242', cmd: [''] }),
      /session not found: 424242/,
    ],
  ])('answers %s by op.error and stays usable', async (_, message, reason) => {
    const connection = await open();
    connection.socket.send(message());
    expect((await finish(connection)).texts).toEqual([
      { type: 'op.error', args: { error: expect.stringMatching(reason) } },
    ]);
    startExec(connection, { cmd: ['true'] });
    expect((await finish(connection)).texts.at(-1)).toEqual(complete(0));
  });

  it('refuses a second operation and goes on with the first', async () => {
    const connection = await open();
    startExec(connection, { cmd: ['cat'], stdin: 'true' });
    startExec(connection, { cmd: ['true'] });
    expect((await finish(connection)).texts.at(-1)).toMatchObject({ type: 'op.error' });
    connection.endInput();
    expect((await finish(connection)).texts.at(-1)).toEqual(complete(0));
  });

  it('attaches to a session, the id winning over the command', async () => {
    const owner = await ExecConnection.open(
      agent.socketPath,
      '/v1/exec?cmd=sh&cmd=-c&cmd=echo+a;read+x;echo+b&stdin=true',
    );
    const connection = await open();
    startExec(connection, { id: await owner.sessionId(), cmd: [''], path: '' });
    await connection.until(({ messages }) => messages.length > 0);
    owner.write('\n');
    expect(await finish(connection)).toMatchObject({
      texts: [{ is_owner: false }, { type: 'exit' }, complete(0)],
    });
    await owner.result();
  });

  it('begins an operation named in the query', async () => {
    const connection = await open('?op=exec&cmd=echo&cmd=hi');
    expect((await finish(connection)).frames).toEqual(['\x01hi\n', '\x03\0']);
  });

  it('proxies for go, which asks without the prefix, until it lets go', async () => {
    const server = createServer((socket) => socket.pipe(socket).on('error', () => undefined));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // A TCP server has an address of this form.
    const { port } = server.address() as AddressInfo;
    const connection = await open();
    connection.sendJson({
      type: 'start',
      operation: 'proxy',
      params: { host: 'localhost', port, keep_alive: true },
    });
    await connection.until(({ texts }) => texts.length > 0);
    connection.socket.send(Buffer.from('echo'));
    await connection.until(({ messages }) => messages.length > 0);
    connection.sendJson({ type: 'release' });
    const { texts, raw, closeCode } = await connection.result();
    expect([texts, raw.toString(), closeCode]).toEqual([
      [{ status: 'connected', target: `localhost:${port}` }],
      'echo',
      1000,
    ]);
    server.close();
  });

  it('answers go also where it cannot do what it asks for', async () => {
    const connection = await open();
    connection.sendJson({ type: 'start', operation: 'proxy', params: { port: 0 } });
    connection.sendJson({ type: 'start', operation: 'proxy', params: null });
    connection.sendJson({ type: 'op.start', op: 'fs.read', args: 'path=x&workingDir=%2F' });
    connection.sendJson({ type: 'op.start', op: 'other' });
    await connection.until(({ texts }) => texts.length === 4);
    const error = 'fs.read is not offered on control connections; use /fs';
    expect(connection.texts).toEqual([
      { status: 'error', error: 'bad port 0: must be a number from 1 to 65535' },
      { status: 'error', error: 'bad port nothing: must be a number from 1 to 65535' },
      { error, code: 'EINVAL', path: '' },
      { type: 'op.error', args: { error } },
    ]);
    connection.socket.terminate();
  });

  it('is refused to go unless the machine is set so', async () => {
    const headers = { 'User-Agent': 'sprites-go-sdk/1.0' };
    await expect(ExecConnection.open(agent.socketPath, '/v1/control', headers)).rejects.toThrow(/^404 /);
    await using other = await startAgent({ machine: { control_for_go: true } });
    const connection = await ExecConnection.open(other.socketPath, '/v1/control', headers);
    connection.socket.terminate();
  });
});

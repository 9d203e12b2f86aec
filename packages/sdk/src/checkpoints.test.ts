import { describe, expect, it } from 'vitest';
import { APIError } from './errors.ts';
import { openFakeServer } from './fake-server.ts';

const time = '2026-01-01T00:00:00.000Z';
const saved = { id: 'v1', create_time: time, history: [], is_auto: false, health: '' };

/** A server that answers every request with these lines and remembers what it was asked. */
async function streaming(lines: readonly object[]) {
  const asked: string[] = [];
  const server = await openFakeServer({
    http: (request, response, body) => {
      asked.push(`${request.method} ${request.url} ${body}`.trim());
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-request-id': 'req_1' });
      response.end(lines.map((line) => `${JSON.stringify({ ...line, time })}\n`).join(''));
    },
  });
  return {
    sprite: server.client.sprite('demo'),
    asked,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A server that answers every request with this JSON and remembers what it was asked. */
async function answering(value: unknown, status = 200) {
  const asked: string[] = [];
  const server = await openFakeServer({
    http: (request, response, body) => {
      asked.push(`${request.method} ${request.url} ${body}`.trim());
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(value === undefined ? '' : JSON.stringify(value));
    },
  });
  return { ...server, asked, sprite: server.client.sprite('demo') };
}

describe('createCheckpoint', () => {
  it('streams what the server says, to its end', async () => {
    await using server = await streaming([
      { type: 'info', data: 'saving' },
      { type: 'from-the-future', data: 1 },
      { type: 'complete', data: 'Checkpoint v1 created', checkpoint: 'v1' },
    ]);
    const messages = [];
    for await (const message of await server.sprite.createCheckpoint('before')) messages.push(message);
    expect(messages).toEqual([
      { type: 'info', data: 'saving', time: new Date(time) },
      { type: 'complete', data: 'Checkpoint v1 created', checkpointId: 'v1', time: new Date(time) },
    ]);
    expect(server.asked).toEqual(['POST /v1/sprites/demo/checkpoint {"comment":"before"}']);
  });

  it('can be read one by one, as with the official SDK', async () => {
    await using server = await streaming([{ type: 'complete', data: 'done' }]);
    const stream = await server.sprite.createCheckpoint();
    expect(await stream.next()).toMatchObject({ type: 'complete', data: 'done' });
    expect(await stream.next()).toBeNull();
  });
});

describe('wait', () => {
  it('hands over progress and resolves to the last message', async () => {
    await using server = await streaming([
      { type: 'info', data: 'one' },
      { type: 'complete', data: 'done', checkpoint: 'v7' },
    ]);
    const progress: (string | undefined)[] = [];
    const stream = await server.sprite.createCheckpoint();
    expect(await stream.wait((message) => progress.push(message.data))).toMatchObject({ checkpointId: 'v7' });
    expect(progress).toEqual(['one']);
  });

  it('throws an error line as an APIError with its code and request', async () => {
    await using server = await streaming([
      { type: 'info', data: 'stopping' },
      { type: 'error', error: 'v1 could not be restored', code: 'wake_failed' },
    ]);
    const error = await server.sprite.restore('v1').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      message: 'v1 could not be restored',
      errorCode: 'wake_failed',
      requestId: 'req_1',
    });
  });

  it('tells an end without a last line from success', async () => {
    await using server = await streaming([{ type: 'info', data: 'stopping' }]);
    await expect(server.sprite.restore('v1')).rejects.toMatchObject({ code: 'closed' });
  });

  it('can be given up', async () => {
    await using server = await openFakeServer({
      http: (_request, response) => response.write(`${JSON.stringify({ type: 'info', data: 'a', time })}\n`),
    });
    const controller = new AbortController();
    const stream = await server.client.sprite('demo').createCheckpoint(undefined, controller);
    const waiting = stream.wait(() => controller.abort());
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('checkpoints', () => {
  it('are listed with filters, in the ways of the official SDK and of ours', async () => {
    await using server = await answering([{ ...saved, comment: 'c', source_id: 'v0', history: ['v0'] }]);
    const list = await server.sprite.listCheckpoints('v0');
    await server.sprite.listCheckpoints('v0', { includeAuto: true });
    await server.sprite.listCheckpoints({ includeAuto: true });
    await server.sprite.listCheckpoints();
    expect(list).toEqual([
      {
        id: 'v1',
        createTime: new Date(time),
        comment: 'c',
        sourceId: 'v0',
        history: ['v0'],
        isAuto: false,
        health: '',
      },
    ]);
    expect(server.asked).toEqual([
      'GET /v1/sprites/demo/checkpoints?history=v0',
      'GET /v1/sprites/demo/checkpoints?history=v0&includeAuto=true',
      'GET /v1/sprites/demo/checkpoints?includeAuto=true',
      'GET /v1/sprites/demo/checkpoints',
    ]);
  });

  it('are got, restored and deleted by id, as one segment of the path', async () => {
    await using server = await answering(saved);
    await server.sprite.getCheckpoint('v1');
    await server.sprite.deleteCheckpoint('../v1');
    (await server.sprite.restoreCheckpoint('a/b')).close();
    expect(server.asked).toEqual([
      'GET /v1/sprites/demo/checkpoints/v1',
      'DELETE /v1/sprites/demo/checkpoints/..%2Fv1',
      'POST /v1/sprites/demo/checkpoints/a%2Fb/restore',
    ]);
    await expect(server.sprite.getCheckpoint('')).rejects.toThrow('must not be empty');
  });

  it('that are refused are an APIError', async () => {
    await using server = await answering({ error: 'operation_in_progress', message: 'busy' }, 409);
    await expect(server.sprite.restoreCheckpoint('v1')).rejects.toMatchObject({
      statusCode: 409,
      errorCode: 'operation_in_progress',
    });
  });
});

describe('fork', () => {
  it('creates a sprite from the live disk or from a checkpoint', async () => {
    await using server = await answering({ error: 'x', message: 'no' }, 400);
    await server.sprite.fork('copy').catch(() => undefined);
    await server.sprite.fork('copy', { checkpoint: 'v1', labels: ['a'] }).catch(() => undefined);
    expect(server.asked).toEqual([
      'POST /v1/sprites {"name":"copy","from":{"sprite":"demo"}}',
      'POST /v1/sprites {"name":"copy","labels":["a"],"from":{"sprite":"demo","checkpoint":"v1"}}',
    ]);
  });
});

describe('diff', () => {
  const facts = { kind: 'file', size: 3, mode: '0644', uid: 0, gid: 0, mtime: time };
  const totals = {
    added: 1,
    removed: 0,
    changed: 0,
    retyped: 0,
    metadata: 0,
    bytes_before: 0,
    bytes_after: 3,
  };

  it('gives the changes, then the totals', async () => {
    await using server = await streaming([
      { type: 'change', change: 'added', path: '/�', path_base64: 'L/8=', after: facts },
      { type: 'from-the-future' },
      { type: 'complete', data: '1 added', totals },
    ]);
    const stream = await server.sprite.diff('v1', 'v2', { path: '/a b' });
    expect(await stream.all()).toEqual([
      {
        change: 'added',
        path: '/�',
        pathBytes: Uint8Array.of(0x2f, 0xff),
        after: { ...facts, mtime: new Date(time) },
      },
    ]);
    expect(stream.totals).toMatchObject({ added: 1, bytesAfter: 3 });
    expect(server.asked).toEqual(['GET /v1/sprites/demo/checkpoints/v1/diff/v2?path=%2Fa+b']);
  });

  it('puts the pieces of a patch together, and throws what went wrong on the way', async () => {
    await using server = await streaming([
      { type: 'patch', data: '--- a' },
      { type: 'patch', data: '/x\n' },
      { type: 'complete', data: '' },
    ]);
    expect(await server.sprite.patch('/x', 'v1')).toBe('--- a/x\n');
    await using failing = await streaming([{ type: 'error', error: 'gone', code: 'checkpoint_damaged' }]);
    await expect((await failing.sprite.diff('v1')).all()).rejects.toMatchObject({
      errorCode: 'checkpoint_damaged',
      requestId: 'req_1',
    });
    await using cut = await streaming([{ type: 'patch', data: '--- a' }]);
    await expect(cut.sprite.patch('/x', 'v1')).rejects.toMatchObject({ code: 'closed' });
  });
});

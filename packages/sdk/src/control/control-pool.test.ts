import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { openFakeServer, output, sessionInfo } from '../fake-server.ts';

function playControl(socket: WebSocket, exitCode: number, started: string[]): void {
  socket.on('message', (data, isBinary) => {
    const text = data.toString();
    if (isBinary || !text.startsWith('control:')) return;
    started.push(text);
    socket.send(sessionInfo());
    socket.send(output(1, 'out'));
    socket.send(Uint8Array.of(3, exitCode));
    socket.send(JSON.stringify({ type: 'exit', exit_code: exitCode, code: exitCode }));
    socket.send(`control:${JSON.stringify({ type: 'op.complete', args: { exitCode } })}`);
  });
}

describe('control mode', () => {
  it('runs commands one after the other on one connection', async () => {
    const started: string[] = [];
    await using server = await openFakeServer(
      { socket: (socket) => playControl(socket, 0, started) },
      { controlMode: true },
    );
    const sprite = server.client.sprite('demo');
    for (let i = 0; i < 3; i++) expect((await sprite.execFile('echo', [String(i)])).stdout).toBe('out');
    expect(server.upgrades).toEqual(['/v1/sprites/demo/control']);
    expect(started).toHaveLength(3);
    expect(sprite.hasControlConnection()).toBe(true);
    sprite.closeControlConnection();
    expect(sprite.hasControlConnection()).toBe(false);
  });

  it('takes a failed command for a result and never runs it again', async () => {
    const started: string[] = [];
    await using server = await openFakeServer(
      { socket: (socket) => playControl(socket, 7, started) },
      { controlMode: true },
    );
    await expect(server.client.sprite('demo').exec('false')).rejects.toMatchObject({ exitCode: 7 });
    expect(started).toHaveLength(1);
    expect(server.upgrades).toHaveLength(1);
  });

  it('runs directly when the server has no control endpoint', async () => {
    await using server = await openFakeServer(
      {
        refuse: (url) =>
          url.pathname.endsWith('/control')
            ? { status: 404, body: { error: 'not_found', message: 'no such path' } }
            : undefined,
        socket: (socket) => {
          socket.send(sessionInfo());
          socket.send(Uint8Array.of(3, 0));
        },
      },
      { controlMode: true },
    );
    const sprite = server.client.sprite('demo');
    await sprite.exec('true');
    await sprite.exec('true');
    expect(server.upgrades.map((path) => path.split('/').at(-1))).toEqual(['control', 'exec', 'exec']);
  });

  it('reports an unknown sprite as such', async () => {
    await using server = await openFakeServer(
      {
        refuse: () => ({
          status: 404,
          body: { error: 'sprite_not_found', message: 'sprite demo not found' },
        }),
      },
      { controlMode: true },
    );
    await expect(server.client.sprite('demo').exec('true')).rejects.toMatchObject({
      errorCode: 'sprite_not_found',
    });
  });

  it('keeps the connection after a refused operation', async () => {
    let refused = false;
    await using server = await openFakeServer(
      {
        socket: (socket) => {
          socket.on('message', (data, isBinary) => {
            if (isBinary) return;
            if (!data.toString().startsWith('control:')) return;
            if (refused) {
              socket.send('control:{"type":"op.complete","args":{"exitCode":0}}');
              return;
            }
            refused = true;
            socket.send('control:{"type":"op.error","args":{"error":"bad dir"}}');
          });
        },
      },
      { controlMode: true },
    );
    const sprite = server.client.sprite('demo');
    await expect(sprite.exec('true')).rejects.toThrow('bad dir');
    await sprite.exec('true');
    expect(server.upgrades).toHaveLength(1);
  });
});

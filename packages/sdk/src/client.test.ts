import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { APIError } from './errors.ts';
import { openFakeServer } from './fake-server.ts';

const org = { name: 'personal', running: 0, warm: 0, cold: 1, running_limit: 0, warm_limit: 0 };
const demo = {
  id: 'sprite_1',
  name: 'demo',
  organization: 'personal',
  org_slug: 'personal',
  status: 'cold',
  config: { ram_mb: 8192, cpus: 8, storage_gb: 100 },
  environment: {},
  url: 'http://demo-abc.sprites.localhost:7777',
  url_settings: { auth: 'sprite' },
  labels: ['a'],
  version: '0.1.0',
  environment_version: 'sha256:1',
  image: 'standard',
  isolation: 'container',
  incarnation: 0,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  last_running_at: null,
  last_warming_at: null,
  last_started_at: null,
  last_active_at: null,
  idle: { warm_after_s: 30, cold_after_s: 'never' },
  auto_checkpoints: { every_s: 3600, keep_hourly: 24, keep_daily: 7 },
  lifecycle: {
    state: 'cold',
    since: '2026-01-01T00:00:00Z',
    held_by: [],
    sleeps_at: null,
    last_wake: null,
    last_sleep: null,
  },
};

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_1' });
  response.end(JSON.stringify(value));
}

describe('SpritesClient', () => {
  it('creates a sprite with sizes or with options, in the names of the wire', async () => {
    const bodies: unknown[] = [];
    await using server = await openFakeServer({
      http: (_request, response, body) => {
        bodies.push(JSON.parse(body));
        answer(response, 201, demo);
      },
    });
    const sprite = await server.client.createSprite('demo', { ramMB: 512 });
    await server.client.createSprite('demo', { labels: ['a'], waitForCapacity: true });
    expect(bodies).toEqual([
      { name: 'demo', config: { ram_mb: 512 } },
      { name: 'demo', labels: ['a'], wait_for_capacity: true },
    ]);
    expect(sprite).toMatchObject({ name: 'demo', id: 'sprite_1', status: 'cold', labels: ['a'] });
    expect(sprite.createdAt).toEqual(new Date('2026-01-01T00:00:00Z'));
  });

  it('follows the pages of a list to the end', async () => {
    const asked: (string | undefined)[] = [];
    await using server = await openFakeServer({
      http: (request: IncomingMessage, response) => {
        asked.push(request.url);
        const last = request.url?.includes('continuation_token=p%2F2') === true;
        const more = { has_more: !last, next_continuation_token: last ? null : 'p/2' };
        answer(response, 200, { ...org, org, sprites: [demo], ...more });
      },
    });
    expect(await server.client.listAllSprites('de')).toHaveLength(2);
    expect(asked).toEqual(['/v1/sprites?prefix=de', '/v1/sprites?prefix=de&continuation_token=p%2F2']);
  });

  it('throws what the server said as an APIError', async () => {
    await using server = await openFakeServer({
      http: (_request, response) =>
        answer(response, 409, { error: 'sprite_already_exists', message: 'sprite demo exists' }),
    });
    const error = await server.client.createSprite('demo').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      statusCode: 409,
      errorCode: 'sprite_already_exists',
      message: 'sprite demo exists',
      requestId: 'req_1',
    });
  });

  it('encodes a name as one segment of the path', async () => {
    const asked: (string | undefined)[] = [];
    await using server = await openFakeServer({
      http: (request, response) => {
        asked.push(request.url);
        answer(response, 404, { error: 'sprite_not_found', message: 'not found' });
      },
    });
    await expect(server.client.getSprite('a/b c')).rejects.toThrow('not found');
    expect(asked).toEqual(['/v1/sprites/a%2Fb%20c']);
  });

  it('refuses an answer of another shape', async () => {
    await using server = await openFakeServer({
      http: (_request, response) => answer(response, 200, { name: 'demo' }),
    });
    await expect(server.client.getSprite('demo')).rejects.toThrow('unexpected answer to getSprite');
  });

  it('watches changes line by line, whatever the pieces they come in', async () => {
    await using server = await openFakeServer({
      http: (_request, response) => {
        const line = (name: string): string =>
          JSON.stringify({ name, status: 'cold', timestamp: '2026-01-01T00:00:00Z', org });
        const text = `${line('one')}\n\n${line('two')}\n`;
        response.write(text.slice(0, 30));
        response.end(text.slice(30));
      },
    });
    const names: (string | undefined)[] = [];
    for await (const event of await server.client.watchSprites()) names.push(event.name);
    expect(names).toEqual(['one', 'two']);
  });

  it('runs a command over plain HTTP', async () => {
    const asked: (string | undefined)[] = [];
    await using server = await openFakeServer({
      http: (request, response, body) => {
        asked.push(`${request.method} ${request.url} ${body}`);
        response.write(Buffer.from('\x01out'));
        setTimeout(() => response.end(Uint8Array.of(3, 0)), 20);
      },
    });
    const result = await server.client.sprite('demo').execFileHTTP('cat', ['-'], { input: 'in' });
    expect(result).toEqual({ stdout: 'out', stderr: '', exitCode: 0 });
    expect(asked).toEqual(['POST /v1/sprites/demo/exec?cmd=cat&cmd=-&path=cat&stdin=true in']);
  });

  it('notices that an HTTP exec ended without a status', async () => {
    await using server = await openFakeServer({
      http: (_request, response) => response.end(Buffer.from('\x01out')),
    });
    await expect(server.client.sprite('demo').execFileHTTP('cat')).rejects.toMatchObject({ code: 'closed' });
  });

  it('follows the end of a killed session', async () => {
    await using server = await openFakeServer({
      http: (_request, response) =>
        response.end('{"type":"signal","message":"m","pid":3}\n{"type":"complete","exit_code":143}\n'),
    });
    const events = [];
    for await (const event of await server.client.sprite('demo').killSession('3', 'TERM', '1s')) {
      events.push(event);
    }
    expect(events).toEqual([
      { type: 'signal', message: 'm', pid: 3 },
      { type: 'complete', exitCode: 143 },
    ]);
  });
});

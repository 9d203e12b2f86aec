import { describe, expect, it } from 'vitest';
import { openFakeServer } from './fake-server.ts';

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

describe('export', () => {
  it('is a stream of the answer, and fails when that is cut', async () => {
    await using server = await openFakeServer({
      http: (request, response) => {
        response.writeHead(200, { 'content-type': 'application/zstd' });
        response.write('some of it');
        if (request.url?.includes('whole') === true) response.end();
        else setImmediate(() => response.destroy());
      },
    });
    const read = async (name: string): Promise<string> =>
      new Response(await server.client.sprite(name).export()).text();
    expect(await read('whole')).toBe('some of it');
    await expect(read('cut')).rejects.toThrow();
  });
});

describe('importSprite', () => {
  it('sends what it is given with its wishes, and tells why it was refused', async () => {
    const asked: string[] = [];
    await using server = await openFakeServer({
      http: (request, response, body) => {
        asked.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
        response.writeHead(409, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({ error: 'sprite_already_exists', message: 'sprite moved already exists' }),
        );
      },
    });
    const wish = { name: 'moved', image: 'standard' };
    await expect(server.client.importSprite(pieces('one', 'two'), wish)).rejects.toMatchObject({
      statusCode: 409,
      errorCode: 'sprite_already_exists',
    });
    expect(asked).toEqual(['POST /v1/sprites/import?name=moved&image=standard application/zstd onetwo']);
  });
});

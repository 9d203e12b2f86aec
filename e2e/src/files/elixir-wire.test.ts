import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

/**
 * What the file system module of the Elixir client puts on the wire: it asks below its base URL for `/fs/…`, which
 * names a sprite only where the base URL does.
 */
const server = testServer();

describe('the file system of the Elixir client', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    const client = new SpritesClient(server.token, { baseURL: server.baseURL });
    sprite = await client.createSprite(uniqueName('exfs'));
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  async function ask(base: string, method: string, what: string, body?: string): Promise<[number, unknown]> {
    const answer = await fetch(`${base}/fs/${what}`, {
      method,
      headers: { Authorization: `Bearer ${server.token}` },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true;
    return [answer.status, isJson ? JSON.parse(text) : text];
  }

  it('works with a base URL that names the sprite', async () => {
    const base = `${server.baseURL}/v1/sprites/${sprite.name}`;
    const place = 'path=%2Ftmp%2Fex%2F.mkdir_placeholder&workingDir=%2F';
    expect(await ask(base, 'PUT', `write?${place}&mkdirParents=true`, '')).toMatchObject([200, { size: 0 }]);
    expect(await ask(base, 'DELETE', `delete?${place}&recursive=false`)).toMatchObject([200, { count: 1 }]);
    await ask(base, 'PUT', 'write?path=%2Ftmp%2Fex%2Ffile&workingDir=%2F&mode=0644', 'text');
    expect(await ask(base, 'GET', 'read?path=%2Ftmp%2Fex%2Ffile&workingDir=%2F')).toEqual([200, 'text']);
    // the mode is the number 0o755
    const changed = JSON.stringify({ path: '/tmp/ex/file', workingDir: '/', mode: 493 });
    expect(await ask(base, 'POST', 'chmod', changed)).toMatchObject([200, { affected: [{ mode: '0755' }] }]);
    // its stat looks for the name in the list of the directory above
    expect(await ask(base, 'GET', 'list?path=%2Ftmp%2Fex&workingDir=%2F')).toMatchObject([
      200,
      { entries: [{ name: 'file', mode: '0755', size: 4 }] },
    ]);
  });

  it.each([
    ['GET', 'read?path=%2Fetc%2Fhostname', undefined],
    ['PUT', 'write?path=%2Ftmp%2Fx', 'text'],
    ['POST', 'chmod', '{}'],
  ])('is told by %s /fs/%s what base URL it needs', async (method, what, body) => {
    const [status, answer] = await ask(server.baseURL, method, what, body);
    expect([status, answer]).toMatchObject([
      400,
      { error: 'invalid_request', message: expect.stringContaining('/v1/sprites/<name> for its base URL') },
    ]);
  });
});

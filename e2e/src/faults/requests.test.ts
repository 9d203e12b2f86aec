import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { call, upgrade } from '../http.ts';
import { testServer } from '../server.ts';

const server = testServer();

describe('a bad request', () => {
  it('for a sprite that does not exist is 404 with a code, a message and a request id', async () => {
    const answer = await call(server, 'GET', '/v1/sprites/there-is-none');
    expect(answer).toMatchObject({ status: 404, code: 'sprite_not_found' });
    expect(answer.message).toContain('there-is-none');
    expect(answer.requestId).toBeTruthy();
  });

  it.each([
    ['DELETE', '/v1/sprites'],
    ['POST', '/v1/sprites/some'],
    ['PUT', '/v1/sprites/some/exec'],
    ['POST', '/healthz'],
  ])('%s %s is 405 and says what the path answers', async (method, path) => {
    const answer = await call(server, method, path);
    expect(answer).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(answer.message).toContain('GET');
  });

  it('for a path that is none is 404', async () => {
    expect(await call(server, 'GET', '/v2/sprites')).toMatchObject({ status: 404, code: 'not_found' });
  });

  it.each([
    ['no token', ''],
    ['a token that was never issued', 'personal/org_x/tok_x/0123456789abcdef'],
    ['a token that is garbage', '%00/../x'],
  ])('with %s is 401, for upgrades as well', async (_, token) => {
    const answer = await call(server, 'GET', '/v1/sprites', { token });
    expect(answer).toMatchObject({ status: 401, code: 'unauthorized' });
    const refused = await upgrade({ ...server, token }, '/v1/sprites/some/exec?cmd=true');
    expect(refused).toMatchObject({ refusal: { status: 401, code: 'unauthorized' } });
  });

  it.each(['GET', 'PUT', 'DELETE'])(
    '%s with a token of another organisation is 404, as if there was no sprite',
    async (method) => {
      const name = `theirs-${method.toLowerCase()}-${Date.now()}`;
      expect((await call(server, 'POST', '/v1/sprites', { body: JSON.stringify({ name }) })).status).toBe(
        201,
      );
      const answer = await call(server, method, `/v1/sprites/${name}`, {
        token: server.otherToken,
        ...(method === 'PUT' ? { body: '{"labels":["mine"]}' } : {}),
      });
      expect(answer).toMatchObject({ status: 404, code: 'sprite_not_found' });
      expect((await call(server, 'DELETE', `/v1/sprites/${name}`)).status).toBe(204);
    },
  );

  it.each([
    ['malformed JSON', '{"name":'],
    ['an array', '[]'],
    ['null', 'null'],
    ['no name', '{}'],
    ['a number for a name', '{"name":5}'],
    ['an unknown member', '{"name":"unknown-member","colour":"red"}'],
    ['labels that are no list', '{"name":"bad-labels","labels":"a"}'],
    ['a variable that is no text', '{"name":"bad-variable","environment":{"A":1}}'],
    ['a variable with NUL', '{"name":"nul-variable","environment":{"A":"a\\u0000b"}}'],
    ['a variable whose name cannot be one', '{"name":"bad-variable-name","environment":{"A=B":"x"}}'],
    ['a negative amount of memory', '{"name":"bad-memory","config":{"ram_mb":-1}}'],
    ['an unknown way to authenticate', '{"name":"bad-wait","wait_for_capacity":"perhaps"}'],
    ['a prototype for a member', '{"name":"proto","__proto__":{"x":1},"constructor":1}'],
  ])('to create a sprite with %s is 400 and makes none', async (_, body) => {
    const answer = await call(server, 'POST', '/v1/sprites', { body });
    expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
    const name = /"name":"([^"]+)"/.exec(body)?.[1];
    if (name === undefined) return;
    expect((await call(server, 'GET', `/v1/sprites/${name}`)).status).toBe(404);
  });

  it('to create a sprite on an image that is not installed is 400', async () => {
    const body = JSON.stringify({ name: 'no-such-image', image: 'no-such-image' });
    expect(await call(server, 'POST', '/v1/sprites', { body })).toMatchObject({
      status: 400,
      code: 'unknown_image',
    });
  });

  it.each([
    ['', 'empty'],
    ['a'.repeat(55), 'too long'],
    ['Upper', 'upper-case'],
    ['with.dot', 'a dot'],
    ['..', 'the parent directory'],
    ['../../etc', 'a path'],
    ['-dash', 'a leading hyphen'],
    ['dash-', 'a trailing hyphen'],
    ['with space', 'a space'],
    ['grün', 'a letter beyond ASCII'],
    ['a\u0000b', 'NUL'],
    ['a\nb', 'a line break'],
  ])('to create the sprite %j (%s) is 400', async (name) => {
    const body = JSON.stringify({ name });
    expect(await call(server, 'POST', '/v1/sprites', { body })).toMatchObject({
      status: 400,
      code: 'invalid_request',
    });
  });

  it.each([
    ['the parent directory', '..'],
    ['the parent directory, escaped', '%2e%2e'],
    ['a path, escaped', '%2E%2E%2F%2E%2E%2Fetc'],
    ['NUL', 'a%00b'],
    ['a byte that is no UTF-8', '%ff'],
    ['half an escape', '%'],
    ['5000 letters', 'a'.repeat(5000)],
  ])('for a sprite named by %s in the path is 400 or 404, for upgrades as well', async (_, name) => {
    expect([400, 404]).toContain((await call(server, 'GET', `/v1/sprites/${name}`)).status);
    const refused = await upgrade(server, `/v1/sprites/${name}/exec?cmd=true`);
    expect([400, 404]).toContain('refusal' in refused ? refused.refusal.status : 101);
  });

  it('to create a sprite twice is 409', async () => {
    const name = `twice-${Date.now()}`;
    const body = JSON.stringify({ name });
    expect((await call(server, 'POST', '/v1/sprites', { body })).status).toBe(201);
    expect(await call(server, 'POST', '/v1/sprites', { body })).toMatchObject({
      status: 409,
      code: 'sprite_already_exists',
    });
    expect((await call(server, 'DELETE', `/v1/sprites/${name}`)).status).toBe(204);
  });

  it('without a token is 401 before its body has come', async () => {
    const { hostname, port } = new URL(server.baseURL);
    const socket = connect(Number(port), hostname);
    socket.write('POST /v1/sprites HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"name":');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it('with a body larger than any that makes sense is 413', async () => {
    const body = JSON.stringify({ name: 'large', labels: ['x'.repeat(32 * 1024 * 1024)] });
    const answer = await call(server, 'POST', '/v1/sprites', { body }).catch((error: unknown) => error);
    // The server may close the connection before it has read everything.
    if (!(answer instanceof Error)) expect(answer).toMatchObject({ status: 413, code: 'request_too_large' });
    expect((await call(server, 'GET', '/v1/sprites/large')).status).toBe(404);
  });

  it('for a path that does not exist is 404 with another code', async () => {
    expect(await call(server, 'GET', '/v1/nothing')).toMatchObject({ status: 404, code: 'not_found' });
  });
});

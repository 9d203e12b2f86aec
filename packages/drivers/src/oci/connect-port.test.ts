import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOciFixture, createOciWorld, type OciFixture, type OciWorld } from './fixture.ts';

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

describe('a port of a machine', () => {
  let world: OciWorld;
  let fixture: OciFixture;

  beforeAll(async () => {
    world = await createOciWorld();
    fixture = await createOciFixture(world);
    await fixture.driver.start(await fixture.spec(1), async () => undefined, within(20_000));
  });
  afterAll(async () => {
    await fixture?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const echo = (host: string): string =>
    `return new Promise((done) => { const s = require('node:net').createServer((c) => c.pipe(c)); s.listen(0, '${host}', () => done(s.address().port)); })`;

  it.each(['127.0.0.1', '::1', '0.0.0.0', '::'])('is reached when a program listens on %s', async (host) => {
    const port = Number(await fixture.evaluate('sprite_1', echo(host)));
    const stream = await fixture.driver.connect('sprite_1', { port }, within(5000));
    stream.end('hello');
    const [bytes] = await once(stream, 'data');
    expect(String(bytes)).toBe('hello');
    await once(stream, 'end');
  });

  it('is refused when nobody listens, also when a program of the host does', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await expect(fixture.driver.connect('sprite_1', { port }, within(5000))).rejects.toMatchObject({
        code: 'port_unreachable',
      });
    } finally {
      server.close();
    }
  });

  it('is given up by its signal when the program takes no connections', async () => {
    // a listener whose queue is full: the kernel lets further connections wait
    const full = `
      const { createServer } = require('node:net');
      const server = createServer();
      await new Promise((done) => server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, done));
      const { port } = server.address();
      return port;`;
    const port = Number(await fixture.evaluate('sprite_1', full));
    await fixture.driver.freeze('sprite_1', within(5000));
    const opened = [];
    let failure: unknown;
    while (failure === undefined && opened.length < 20) {
      try {
        opened.push(await fixture.driver.connect('sprite_1', { port }, within(200)));
      } catch (error) {
        failure = error;
      }
    }
    for (const stream of opened) stream.destroy();
    await fixture.driver.thaw('sprite_1');
    expect(failure).toMatchObject({ name: 'TimeoutError' });
  });

  it('is not reached without a machine', async () => {
    await expect(fixture.driver.connect('sprite_9', { port: 80 }, within(1000))).rejects.toMatchObject({
      code: 'port_unreachable',
    });
  });
});

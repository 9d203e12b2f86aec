import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, emptyAnswer, parseQuery, responseCode, withId } from './message.ts';
import { Resolver, type ResolverOptions } from './resolver.ts';
import type { Upstream } from './upstreams.ts';

const question = Buffer.from('123401000001000000000000076578616d706c6503636f6d0000010001', 'hex');
const open: Socket[] = [];

/** A name server on loopback that treats each query as told. */
async function nameServer(reply: (query: Uint8Array) => readonly Uint8Array[]): Promise<Upstream> {
  const socket = createSocket('udp4');
  open.push(socket);
  socket.on('message', (bytes, { port, address }) => {
    for (const answer of reply(bytes)) socket.send(answer, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: '127.0.0.1', port: socket.address().port, family: 4 };
}

const answering =
  (code = 0) =>
  (bytes: Uint8Array) => {
    const query = parseQuery(bytes);
    return query.type === 'query' ? [emptyAnswer(query, code)] : [];
  };

function resolver(upstreams: readonly Upstream[], options: Partial<ResolverOptions> = {}): Resolver {
  return new Resolver({ upstreams: () => Promise.resolve(upstreams), attemptMs: 150, ...options });
}

describe('Resolver', () => {
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close();
  });

  it('passes the answer on under the id of the query', async () => {
    const answer = await resolver([await nameServer(answering())]).answer('c', parseQuery(question), 'udp');
    expect(Buffer.from(answer ?? []).toString('hex')).toBe(
      question.toString('hex').replace('12340100', '12348180'),
    );
  });

  it('asks with an id that is not the client’s and overlooks answers under another', async () => {
    const ids = new Set<number>();
    const upstream = await nameServer((bytes) => {
      ids.add(Buffer.from(bytes).readUInt16BE(0));
      const forged = answering(responseCode.refused)(bytes).map((each) =>
        withId(each, (Buffer.from(bytes).readUInt16BE(0) + 1) & 65535),
      );
      return [...forged, Buffer.from('hostile'), ...answering()(bytes)];
    });
    const one = resolver([upstream]);
    for (let count = 0; count < 5; count += 1) {
      const answer = await one.answer('c', parseQuery(question), 'udp');
      expect(codeOf(answer ?? Buffer.alloc(12, 255))).toBe(0);
    }
    expect(ids.size).toBeGreaterThan(1);
  });

  it('turns to the next name server when one is silent, dead or failing', async () => {
    const silent = await nameServer(() => []);
    const failing = await nameServer(answering(responseCode.serverFailure));
    const dead = { address: '127.0.0.1', port: 1, family: 4 } as const;
    const good = await nameServer(answering(3));
    const answer = await resolver([silent, failing, dead, good]).answer('c', parseQuery(question), 'udp');
    expect(codeOf(answer ?? Buffer.alloc(12))).toBe(3);
  });

  it('answers with a server failure when nobody does', async () => {
    const answer = await resolver([await nameServer(() => [])]).answer('c', parseQuery(question), 'udp');
    expect(codeOf(answer ?? Buffer.alloc(12))).toBe(responseCode.serverFailure);
    const none = await resolver([]).answer('c', parseQuery(question), 'udp');
    expect(codeOf(none ?? Buffer.alloc(12))).toBe(responseCode.serverFailure);
  });

  it('refuses more queries of one client than its share and still serves another', async () => {
    const silent = await nameServer(() => []);
    const one = resolver([silent], { perClient: 2, total: 3 });
    const codes = await Promise.all(
      ['a', 'a', 'a', 'b', 'b'].map(async (client) => {
        const answer = await one.answer(client, parseQuery(question), 'udp');
        return codeOf(answer ?? Buffer.alloc(12));
      }),
    );
    const { refused, serverFailure } = responseCode;
    expect(codes).toEqual([serverFailure, serverFailure, refused, serverFailure, refused]);
  });

  it('gives up at once when it is closed', async () => {
    const one = resolver([await nameServer(() => [])], { attemptMs: 60_000 });
    const asked = one.answer('c', parseQuery(question), 'udp');
    one.close();
    expect(await asked).toBeUndefined();
  });
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { type ByteReader, type Clock, createSprite } from '@sprites/core';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { RateLimit } from '../http/rate-limit.ts';
import { AccessControl } from '../ingress/access.ts';
import { Front, type TlsFiles } from '../ingress/front.ts';
import { Ports } from '../ingress/ports.ts';
import { Sites } from '../ingress/sites.ts';
import { TrustedProxies } from '../ingress/trusted-proxies.ts';
import { Upstreams } from '../ingress/upstreams.ts';
import { UrlSessions } from '../ingress/url-sessions.ts';
import { Connections } from '../sockets/connections.ts';
import { systemClock } from '../system-clock.ts';
import { fixture } from './fixture.ts';

/** What a program in a sprite does with bytes that it gets; `answer` sends bytes back. */
type Program = (bytes: Buffer, answer: (text: string) => void) => void;

/**
 * A front before an API that says `api`, with the sprites `demo`, which is private, and `open`, whose `program` gets the
 * requests.
 */
export async function openFront({
  tls,
  clock = systemClock,
  program = (_bytes, answer) => answer('HTTP/1.1 204 No Content\r\n\r\n'),
}: {
  readonly tls?: TlsFiles;
  readonly clock?: Clock;
  readonly program?: Program;
}): Promise<{ readonly port: number; readonly hostOf: (name: string) => string }> {
  const { deps, org, signal } = await fixture();
  await createSprite(deps, { name: 'demo', orgId: org.id }, signal);
  await createSprite(deps, { name: 'open', orgId: org.id, url_settings: { auth: 'public' } }, signal);
  const sites = new Sites({ store: deps.store, changes: deps.changes, domain: 'sprites.test' });
  const sessions = new UrlSessions(Buffer.alloc(32, 1), clock);
  const upstreams = new Upstreams();
  const driver = {
    dial: async () => openAgent(),
    connect: async (_spriteId: string, { reader }: { readonly reader?: ByteReader }) =>
      openProgram(program, reader),
  };
  const front = new Front({
    api: createServer({ maxHeaderSize: 1024 * 1024 }, (request, response) => {
      const { socket } = request;
      response.end(`api ${'encrypted' in socket && socket.encrypted === true}`);
    }),
    trusted: new TrustedProxies([]),
    tls,
    sites,
    sessions,
    rate: new RateLimit({ clock, limit: 2, windowS: 60 }),
    access: new AccessControl({ store: deps.store, sessions, clock }),
    lifecycle: deps.lifecycle,
    connections: new Connections(),
    ports: new Ports({ driver, upstreams, clock, portWaitMs: 100 }),
    upstreams,
    clock,
    log: pino({ level: 'silent' }),
    labelOf: (host) => sites.labelOf(host),
    signInUrl: (client, _host, label) => `${client.proto}://sprites.test/signin?sprite=${label}`,
    onAnswer: () => {},
  });
  await new Promise<void>((resolve) => front.server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    front.close();
    front.closeAll();
  });
  // a listening TCP server has an address with a port
  const { port } = front.server.address() as AddressInfo;
  return { port, hostOf: (name) => `${name}-${org.urlId}.sprites.test` };
}

/** Says of every sprite that its URL leads to the usual port. */
function openAgent(): Duplex {
  return new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      this.push('HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"port":8080}');
      done();
    },
  });
}

function openProgram(program: Program, reader: ByteReader | undefined): Duplex {
  const answer = (text: string): void => {
    const length = Buffer.from(text, 'latin1').copy(reader?.memory() ?? Buffer.alloc(0));
    reader?.take(length);
  };
  return new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      program(bytes, answer);
      done();
    },
  });
}

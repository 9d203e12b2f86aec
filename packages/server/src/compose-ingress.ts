import { randomBytes } from 'node:crypto';
import { chmod, link, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Changes, Store } from '@sprites/core';
import type { Host } from './compose-host.ts';
import type { Config } from './config/config.ts';
import { createListener } from './http/listener.ts';
import { parseTarget } from './http/path.ts';
import { RateLimit } from './http/rate-limit.ts';
import { AccessControl } from './ingress/access.ts';
import { bridge } from './ingress/bridge.ts';
import { Front, headOf, type TlsFiles } from './ingress/front.ts';
import { Ports } from './ingress/ports.ts';
import { Sites } from './ingress/sites.ts';
import { TrustedProxies } from './ingress/trusted-proxies.ts';
import { Upstreams } from './ingress/upstreams.ts';
import { UrlSessions } from './ingress/url-sessions.ts';
import type { Logger } from './log.ts';
import { findAgentRoute } from './sockets/agent-routes.ts';
import { forward } from './sockets/forward.ts';
import type { GateDeps } from './sockets/gate.ts';
import { upgrade } from './sockets/upgrade.ts';
import { systemClock } from './system-clock.ts';

const secretBytes = 32;

/** What leads requests to sprites, without the port they come in by. */
export type Ingress = {
  readonly sites: Sites;
  readonly sessions: UrlSessions;
  readonly trusted: TrustedProxies;
  readonly ports: Ports;
  readonly upstreams: Upstreams;
  readonly rate: RateLimit;
  readonly tls: TlsFiles | undefined;
};

/** Opens it. Throws `invalid_request` when the TLS files cannot be used. */
export async function openIngress(input: {
  readonly config: Config;
  readonly dataDir: string;
  readonly host: Host;
  readonly store: Store;
  readonly changes: Changes;
}): Promise<Ingress> {
  const { config, dataDir, host, store, changes } = input;
  const upstreams = new Upstreams();
  return {
    sites: new Sites({ store, changes, domain: config.domain }),
    sessions: new UrlSessions(await readSecret(join(dataDir, 'url-sessions.key')), systemClock),
    trusted: new TrustedProxies(config.trustProxy),
    ports: new Ports({
      driver: host.driver,
      upstreams,
      clock: systemClock,
      portWaitMs: config.portWaitS * 1000,
    }),
    upstreams,
    rate: new RateLimit({ clock: systemClock, limit: config.urlRate, windowS: 60 }),
    tls: await readTls(config),
  };
}

/** The server's one port, and the API's listener behind it. */
export type Door = { readonly front: Front; readonly api: Server };

/** Makes the port that leads to the API and to all sprites; `app` answers what is neither a sprite's nor an agent's. */
export function createDoor(
  ingress: Ingress,
  input: {
    readonly gate: GateDeps;
    readonly log: Logger;
    readonly config: Config;
    readonly app: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  },
): Door {
  const { gate, log, app, config } = input;
  const { sites } = ingress;
  const isForSprite = ({ headers }: IncomingMessage): boolean =>
    headers.host !== undefined && sites.labelOf(headers.host.toLowerCase()) !== undefined;
  const api = createListener({
    clock: systemClock,
    log,
    metrics: gate.metrics,
    rate: new RateLimit({ clock: systemClock, limit: config.apiRate, windowS: 60 }),
    answer: async (request, response) => {
      if (isForSprite(request)) {
        await bridge(front, request, response);
        return;
      }
      const route = findAgentRoute(request.method ?? 'GET', parseTarget(request.url ?? '/'));
      await (route === undefined ? app(request, response) : forward(gate, request, response, route));
    },
    upgrade: async (request, socket, first) => {
      if (!isForSprite(request)) return upgrade(gate, request, socket, first);
      front.adopt(socket, socket, Buffer.concat([headOf(request), first]));
      return 101;
    },
  });
  const front = createFront(ingress, { api, gate, log });
  front.server.maxConnections = config.maxConnections;
  return { front, api };
}

function createFront(
  ingress: Ingress,
  { api, gate, log }: { readonly api: Server; readonly gate: GateDeps; readonly log: Logger },
): Front {
  const { sites, sessions, trusted, ports, upstreams, rate, tls } = ingress;
  const { store, lifecycle, connections, metrics } = gate;
  return new Front({
    api,
    trusted,
    tls,
    sites,
    sessions,
    rate,
    access: new AccessControl({ store, sessions, clock: systemClock }),
    lifecycle,
    connections,
    ports,
    upstreams,
    clock: systemClock,
    log,
    labelOf: (host) => sites.labelOf(host),
    signInUrl: (client, host, label, path) => {
      const port = /:\d{1,5}$/.exec(host)?.[0] ?? '';
      return `${client.proto}://${sites.domain}${port}/signin?${new URLSearchParams({ sprite: label, path })}`;
    },
    onAnswer: (status) => metrics.countUrlAnswer(status),
  });
}

/** The key that sessions are signed with; made at the first start, and the same from then on. */
async function readSecret(file: string): Promise<Buffer> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, randomBytes(secretBytes), { mode: 0o600, flush: true });
  try {
    // never replaces one that is there
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  await chmod(file, 0o600);
  return readFile(file);
}

async function readTls({ tlsCert, tlsKey }: Config): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new SpriteError(
      'invalid_request',
      'SPRITES_TLS_CERT and SPRITES_TLS_KEY need each other; set both',
    );
  const read = (name: string, file: string): Promise<Buffer> =>
    readFile(file).catch((cause: Error) => {
      throw new SpriteError('invalid_request', `${name}=${file} cannot be read: ${cause.message}`, { cause });
    });
  return { cert: await read('SPRITES_TLS_CERT', tlsCert), key: await read('SPRITES_TLS_KEY', tlsKey) };
}

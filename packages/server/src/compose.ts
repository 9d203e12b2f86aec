import { mkdir, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { SpriteError } from '@sprites/contract';
import {
  type CreateDeps,
  type EgressDeps,
  ensureOrg,
  InsideCheckpoints,
  installToken,
  type LifecycleObservers,
  Operations,
  type Repairs,
  reconcile,
  type Store,
  type TransferDeps,
  type ViewDeps,
  watchMemory,
} from '@sprites/core';
import { openSqliteStore } from '@sprites/store/sqlite';

import { openCare } from './compose-care.ts';
import { type Core, createCore } from './compose-core.ts';

import { openPoolGuard } from './compose-guard.ts';
import { type Host, openHost } from './compose-host.ts';
import { createDoor, type Ingress, openIngress } from './compose-ingress.ts';
import { createLinks, type ListenerSlot } from './compose-links.ts';
import type { Config } from './config/config.ts';
import { createApp } from './http/app.ts';
import { RateLimit } from './http/rate-limit.ts';
import { routeSignIn, routeTls } from './ingress/sign-in.ts';
import type { Links } from './link/links.ts';
import { createLog } from './log.ts';
import { Metrics } from './metrics.ts';
import { routeCheckpoints } from './routes/checkpoints.ts';
import { routeDiff } from './routes/diff.ts';
import { routeEvents } from './routes/events.ts';
import { routeOrganization } from './routes/organization.ts';
import { routePolicy } from './routes/policy.ts';
import { routeServer } from './routes/server.ts';
import type { WireDeps } from './routes/sprite-json.ts';
import { routeSprites } from './routes/sprites.ts';
import { routeTransfer } from './routes/transfer.ts';
import { Connections } from './sockets/connections.ts';
import type { GateDeps } from './sockets/gate.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

/** A server that takes requests. */
export type RunningServer = {
  /** base URL of the API */
  readonly url: string;
  readonly store: Store;
  readonly repairs: Repairs;
  /** how many machines run at this moment, and go on when the server closes */
  countRunning(): Promise<number>;
  /** Stops taking requests, ends open ones and closes everything; machines go on running. */
  close(): Promise<void>;
};

/** Starts a server with these settings. Throws with what is wrong and the remedy when this host cannot run one. */
export async function startServer(config: Config): Promise<RunningServer> {
  const log = createLog(config.logLevel);
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  const dataDir = await realpath(config.dataDir);
  await using stack = new AsyncDisposableStack();
  const opening = new AbortController();
  const host = stack.use(await openHost({ config, dataDir, log, signal: opening.signal, starting: true }));
  const store = await openSqliteStore(join(dataDir, 'sprites.db'));
  stack.defer(() => store.close());
  await prepareOrg(store, config);

  const core = createCore(config, host, { store, log });
  const { deps, lifecycle, pool, egressLog } = core;
  stack.defer(() => egressLog.flush());
  stack.defer(() => deps.events.flush());
  stack.defer(() => lifecycle.close());
  stack.defer(() => pool.close());
  const metrics = new Metrics(
    () => countAll(store),
    () => pool.ready,
  );
  const connections = new Connections();
  const listener: ListenerSlot = {};
  const links = stack.use(createLinks({ host, store, log, listener, lifecycle }));
  const ingress = await openIngress({ config, dataDir, host, store, changes: deps.changes });
  const inside = new InsideCheckpoints({ ...deps, insideViews: host.driver.views });
  lifecycle.observe(createObservers({ metrics, links, connections, ingress, inside }));
  const guard = openPoolGuard(host, deps);
  stack.defer(() => guard.close());
  const repairs = await reconcile(deps, lifecycle);
  beginBackgroundWork(core);
  const care = stack.use(
    openCare(config, host, { ...deps, lifecycle, operations: new Operations(lifecycle), inside }, metrics),
  );
  const gate: GateDeps = { store, driver: host.driver, lifecycle, connections, metrics, version };
  const url = { current: '' };
  const routeDeps = { ...care.deps, pool, egressLog, views: host.views, archives: host.archives };
  const app = createRoutes({ config, host, deps: routeDeps, metrics, url, ingress });
  const { front, api } = createDoor(ingress, { gate, log, app, config });
  listener.server = api;
  await listen(front.server, config.listen);
  url.current = config.publicUrl ?? urlOf(config, front.server.address());
  const resources = stack.move();
  log.info({ url: url.current, version, ...repairs }, 'the server is ready');
  return {
    url: url.current,
    store,
    repairs,
    countRunning: async () => (await countAll(store)).running ?? 0,
    close: async () => {
      front.close();
      await connections.closeAll(1001, 'the server is shutting down');
      api.closeAllConnections();
      front.closeAll();
      await resources.disposeAsync();
      log.info({}, 'the server is closed');
    },
  };
}

function beginBackgroundWork({ deps, lifecycle, pool, memory, egressLog }: Core): void {
  pool.open();
  lifecycle.inBackground('writing what sprites reached', (signal) => egressLog.run(signal));
  lifecycle.watchIdle();
  lifecycle.inBackground('looking after the memory of the host', (signal) =>
    watchMemory({ ...deps, lifecycle, memory }, signal),
  );
}

function createObservers({
  metrics,
  links,
  connections,
  ingress,
  inside,
}: ObserverInput): LifecycleObservers {
  return {
    onWake: ({ kind, tookMs }) => {
      metrics.wakes.inc({ kind, result: 'ok' });
      metrics.wakeSeconds.observe({ kind }, tookMs / 1000);
    },
    onWakeFailed: () => metrics.wakes.inc({ kind: 'cold', result: 'failed' }),
    onRunning: (spriteId) => {
      links.open(spriteId);
      inside.refreshSoon(spriteId);
    },
    // the link stays: both ends of it are there after the wake, and what was sent just before the freeze is heard
    onSleep: (spriteId) => connections.close(spriteId, 1001, 'the sprite was put to sleep'),
    onStop: (spriteId) => {
      links.close(spriteId);
      connections.close(spriteId, 1001, 'the sprite was stopped');
      ingress.ports.forget(spriteId);
      ingress.upstreams.close(spriteId);
    },
  };
}

type ObserverInput = {
  readonly metrics: Metrics;
  readonly links: Links;
  readonly connections: Connections;
  readonly ingress: Ingress;
  readonly inside: InsideCheckpoints;
};

/** The org that every server has, and the token the operator may have chosen for it. */
async function prepareOrg(store: Store, config: Config): Promise<void> {
  const org = await ensureOrg({ store, clock: systemClock }, 'personal');
  if (config.bootstrapToken !== undefined) {
    await installToken({ store, clock: systemClock }, org, config.bootstrapToken);
  }
}

type RoutesInput = {
  readonly config: Config;
  readonly host: Host;
  readonly deps: CreateDeps & ViewDeps & TransferDeps & EgressDeps;
  readonly metrics: Metrics;
  readonly ingress: Ingress;
  /** base URL of the API, known once the server listens */
  readonly url: { readonly current: string };
};

function createRoutes({ config, host, deps, metrics, url, ingress }: RoutesInput): Listener {
  const app = createApp();
  const creations = new RateLimit({ clock: deps.clock, limit: config.createRate, windowS: 60 });
  const wire: WireDeps = {
    store: deps.store,
    settings: deps.settings,
    isolation: host.driver.isolation,
    lifecycle: deps.lifecycle,
    urlOf: (name, urlId) => spriteUrl(config.domain, url.current, `${name}-${urlId}`),
  };
  routeSprites(app, { ...deps, ...wire, creations });
  routeCheckpoints(app, deps);
  routeDiff(app, deps);
  routePolicy(app, deps);
  routeTransfer(app, { ...deps, ...wire, creations });
  routeEvents(app, deps);
  routeOrganization(app, { ...wire, clock: deps.clock, exchangeCredential: config.exchangeCredential });
  routeSignIn(app, { store: deps.store, ...ingress });
  routeTls(app, ingress);
  routeServer(app, {
    store: deps.store,
    metrics,
    version,
    hostInfo: () => host.info(),
    notReady: async () => {
      await deps.store.findOrgBySlug('personal');
      const { freeBytes } = await deps.disks.space();
      return freeBytes === 0 ? 'the disk pool is full' : undefined;
    },
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return async (request, response) => {
    await listener(request, response);
  };
}

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** URL of a sprite: its own host name on the port of the API, unless the domain names a port itself. */
function spriteUrl(domain: string, apiUrl: string, label: string): string {
  const api = new URL(apiUrl);
  const url = new URL(`${api.protocol}//${label}.${domain}`);
  if (!domain.includes(':')) url.port = api.port;
  return url.origin;
}

function urlOf(config: Config, address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const host = config.listen.host.includes(':') ? `[${config.listen.host}]` : config.listen.host;
  const scheme = config.tlsCert === undefined ? 'http' : 'https';
  return `${scheme}://${host}:${address.port}`;
}

async function listen(server: Server, { host, port }: Config['listen']): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const taken = cause.code === 'EADDRINUSE';
    const reason = taken ? 'the port is taken; stop what listens there or set another' : cause.message;
    reject(new SpriteError('invalid_request', `SPRITES_LISTEN=${host}:${port}: ${reason}`, { cause }));
  });
  server.listen({ host, port, backlog: 1024 }, resolve);
  await promise;
}

async function countAll(store: Store): Promise<Record<string, number>> {
  const counts: Record<string, number> = { cold: 0, warm: 0, running: 0 };
  for (const sprite of await store.listAllSprites()) {
    if (sprite.deletedAt === undefined) counts[sprite.status] = (counts[sprite.status] ?? 0) + 1;
  }
  return counts;
}

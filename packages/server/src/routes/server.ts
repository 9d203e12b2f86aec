import { createOpenApi, endpoints, type HostInfo, SpriteError } from '@sprites/contract';
import type { Store } from '@sprites/core';
import { type App, serve, serveOpen } from '../http/app.ts';
import type { Metrics } from '../metrics.ts';

export type ServerRoutesDeps = {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly version: string;
  readonly hostInfo: () => Promise<HostInfo>;
  /** why the server cannot take requests, or undefined */
  readonly notReady: () => Promise<string | undefined>;
};

/** Health, metrics, the API's description, and what the host is made of. */
export function routeServer(app: App, deps: ServerRoutesDeps): void {
  serveOpen(app, endpoints.healthz, ({ context }) => context.json({ status: 'ok' }));
  serveOpen(app, endpoints.readyz, async ({ context }) => {
    const reason = await deps.notReady();
    if (reason !== undefined) throw new SpriteError('unavailable', reason);
    return context.json({ status: 'ready' });
  });
  serveOpen(app, endpoints.metrics, async ({ context }) =>
    context.body(await deps.metrics.registry.metrics(), 200, {
      'content-type': deps.metrics.registry.contentType,
    }),
  );
  const description = createOpenApi(deps.version);
  serveOpen(app, endpoints.openapi, ({ context }) => context.json(description));
  serve(app, deps.store, endpoints.getHost, async ({ context }) => context.json(await deps.hostInfo()));
}

import { on } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { endpoints } from '@sprites/contract';
import { exportSprite, importSprite, type TransferDeps } from '@sprites/core';
import { type App, serve } from '../http/app.ts';
import { countCreation, type RateLimit } from '../http/rate-limit.ts';
import { toSprite, type WireDeps } from './sprite-json.ts';

export type TransferRoutesDeps = TransferDeps &
  WireDeps & {
    /** sprites made by one org */
    readonly creations: RateLimit;
  };

/** Moving sprites between servers. */
export function routeTransfer(app: App, deps: TransferRoutesDeps): void {
  serve(app, deps.store, endpoints.exportSprite, async ({ context, org, parameters }) => {
    const { outgoing } = context.env;
    outgoing.setTimeout(longestSilenceMs, () => outgoing.destroy());
    const { name, bytes } = await exportSprite(deps, { orgId: org.id, name: parameters.name ?? '' });
    return context.body(await begin(bytes), 200, {
      'content-type': 'application/zstd',
      'content-disposition': `attachment; filename="${name}.tar.zst"`,
      'cache-control': 'no-store',
    });
  });
  serve(app, deps.store, endpoints.importSprite, async ({ context, org, query, signal }) => {
    countCreation(deps.creations, org);
    const bytes = bodyOf(context.env.incoming);
    const { sprite } = await importSprite(deps, { ...query, orgId: org.id, bytes }, signal);
    return context.json(toSprite(deps, org, sprite), 201);
  });
}

/** Waits for the first bytes: what fails before is an error answer, and what fails later cuts the answer off. */
async function begin(bytes: AsyncIterable<Uint8Array>): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  let next: Promise<IteratorResult<Uint8Array>> | undefined = Promise.resolve(first);
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await (next ?? iterator.next());
      next = undefined;
      if (done === true) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

/** After so long without a byte a transfer is given up, as few may be under way at a time. In `ms`. */
const longestSilenceMs = 300_000;
/** Pieces of a body that may wait to be read. */
const mostWaiting = 16;

/** The body as it comes. When whoever reads it stops, the rest is let pass by, so that an answer can be sent. */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  request.setTimeout(longestSilenceMs, () => request.destroy());
  try {
    const events = on(request, 'data', { close: ['end', 'close'], highWaterMark: mostWaiting });
    for await (const [chunk] of events) yield chunk;
  } finally {
    request.setTimeout(0);
    request.resume();
  }
  if (!request.complete) throw Object.assign(new Error('the request was cut'), { code: 'ECONNRESET' });
}

import type { Server } from 'node:http';
import { SpriteError } from '@sprites/contract';
import type { InsideRequest } from '@sprites/contract/link';
import type { Lifecycle, Store } from '@sprites/core';
import type { Host } from './compose-host.ts';
import { askServer } from './link/ask-server.ts';
import { Links } from './link/links.ts';
import type { Logger } from './log.ts';
import { systemClock } from './system-clock.ts';

/** Where the API's listener is, once there is one. */
export type ListenerSlot = { server?: Server };

/** Makes the links to the agents; what programs inside ask for is answered by the API itself. */
export function createLinks(input: {
  readonly host: Host;
  readonly store: Store;
  readonly log: Logger;
  readonly listener: ListenerSlot;
  readonly lifecycle: Pick<Lifecycle, 'reportActivity' | 'holdInside'>;
}): Links {
  const { host, store, log, listener, lifecycle } = input;
  return new Links({
    driver: host.driver,
    clock: systemClock,
    log,
    onActivity: (spriteId, activity) => lifecycle.reportActivity(spriteId, activity),
    answer: async (spriteId, request, sink, signal) => {
      if (listener.server === undefined) throw new SpriteError('unavailable', 'the server is starting');
      // what stays open without end must not keep the sprite awake for as long
      const release = lifecycle.holdInside(spriteId, request.method);
      if (isEndless(request)) release();
      try {
        await askServer({ store, server: listener.server }, spriteId, request, sink, signal);
      } finally {
        release();
      }
    },
  });
}

function isEndless({ method, target }: InsideRequest): boolean {
  return method === 'GET' && /[?&]follow=/.test(target);
}

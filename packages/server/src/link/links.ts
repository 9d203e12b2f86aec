import type { Duplex } from 'node:stream';
import type { Activity, InsideRequest } from '@sprites/contract/link';
import type { Clock, Driver } from '@sprites/core';
import type { Logger } from '../log.ts';
import { AgentLink } from './agent-link.ts';
import type { AnswerSink } from './ask-server.ts';

/** Waits before a broken link is dialled again, in `ms`; the last one is repeated. */
const redialWaitsMs = [100, 500, 2000, 5000];
/** A link that lasted this long was a good one: then the waits begin anew, in `ms`. */
const goodLinkMs = 30_000;

export type LinksDeps = {
  readonly driver: Pick<Driver<Duplex>, 'dial'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** what an agent says of its sprite; undefined when its link is over */
  readonly onActivity: (spriteId: string, activity: Activity | undefined) => void;
  readonly answer: (
    spriteId: string,
    request: InsideRequest,
    sink: AnswerSink,
    signal: AbortSignal,
  ) => Promise<void>;
};

/** Keeps one link to the agent of every running machine. */
export class Links implements AsyncDisposable {
  readonly #deps: LinksDeps;
  readonly #kept = new Map<string, { readonly leaving: AbortController; readonly done: Promise<void> }>();

  constructor(deps: LinksDeps) {
    this.#deps = deps;
  }

  /** Keeps a link to the sprite's machine from now on; one that is kept already stays. */
  open(spriteId: string): void {
    if (this.#kept.get(spriteId)?.leaving.signal.aborted === false) return;
    const leaving = new AbortController();
    const done = this.#keep(spriteId, leaving.signal).finally(() => {
      if (this.#kept.get(spriteId)?.leaving === leaving) this.#kept.delete(spriteId);
    });
    this.#kept.set(spriteId, { leaving, done });
  }

  /** Ends the link: the machine is about to stop. */
  close(spriteId: string): void {
    this.#kept.get(spriteId)?.leaving.abort(new Error('the machine stops'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#kept.values()];
    for (const { leaving } of all) leaving.abort(new Error('the server is closing'));
    await Promise.all(all.map(({ done }) => done));
  }

  async #keep(spriteId: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    for (let failures = 0; !signal.aborted; ) {
      const openedAt = clock.now();
      try {
        await this.#hold(spriteId, signal);
      } catch (error) {
        if (!signal.aborted) log.debug({ err: error, sprite_id: spriteId }, 'the link could not be opened');
      }
      failures = clock.now() - openedAt > goodLinkMs ? 1 : failures + 1;
      const wait = redialWaitsMs[Math.min(failures, redialWaitsMs.length) - 1] ?? 0;
      await clock.sleep(wait, signal).catch(() => {
        // the machine stops meanwhile
      });
    }
  }

  /** One link, from its opening to its end. */
  async #hold(spriteId: string, signal: AbortSignal): Promise<void> {
    const { driver, onActivity, answer } = this.#deps;
    const stream = await driver.dial(spriteId, signal);
    const link = new AgentLink({
      stream,
      onActivity: (activity) => {
        if (!signal.aborted) onActivity(spriteId, activity);
      },
      answer: (request, sink, gone) => answer(spriteId, request, sink, gone),
    });
    const end = (): void => link.close();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      await link.closed;
    } finally {
      signal.removeEventListener('abort', end);
      onActivity(spriteId, undefined);
    }
  }
}

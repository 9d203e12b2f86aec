import { renderError } from '@sprites/contract';
import type { Clock } from '@sprites/core';

/** Time between two empty lines on a quiet stream, in `ms`; one client gives up after 300 s of silence. Spec section 1.7. */
const keepAliveMs = 15_000;

export type LineStreamOptions = {
  readonly clock: Clock;
  /** does the work; each text given to `report` becomes an `info` line; resolves to the text of the `complete` line */
  readonly work: (report: (text: string) => void) => Promise<string>;
};

/**
 * Runs work and streams what it says: `info` lines, and last of all `complete` or `error`. The work goes on to its end
 * when the client leaves. Spec section 13.7.
 */
export function streamLines({ clock, work }: LineStreamOptions): Response {
  const encoder = new TextEncoder();
  const ended = new AbortController();
  let open = true;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string): void => {
        if (open) controller.enqueue(encoder.encode(text));
      };
      const sendLine = (line: object): void => {
        send(`${JSON.stringify({ ...line, time: new Date(clock.now()).toISOString() })}\n`);
      };
      void keepAlive(clock, ended.signal, () => send('\n'));
      void work((text) => sendLine({ type: 'info', data: text }))
        .then((text) => sendLine({ type: 'complete', data: text }))
        .catch((error: unknown) => sendLine({ type: 'error', error: renderError(error).body.message }))
        .finally(() => {
          ended.abort();
          if (open) controller.close();
          open = false;
        });
    },
    cancel() {
      open = false;
      ended.abort();
    },
  });
  return new Response(stream, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  });
}

async function keepAlive(clock: Clock, signal: AbortSignal, send: () => void): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(keepAliveMs, signal).catch(() => {
      // the stream has ended
    });
    if (!signal.aborted) send();
  }
}

import { type CheckpointLine, renderError } from '@sprites/contract';
import type { Clock } from '@sprites/core';

/** Time between two empty lines on a quiet stream, in `ms`; one client gives up after 300 s of silence. Spec section 1.7. */
const keepAliveMs = 15_000;

/** What the last line of work that went well says. */
export type Completion = Pick<CheckpointLine, 'data' | 'checkpoint'>;

export type LineStreamOptions = {
  readonly clock: Clock;
  /** does the work; each text given to `report` becomes an `info` line */
  readonly work: (report: (text: string) => void) => Promise<Completion>;
  /** hears of a failure that became a line of the stream */
  readonly onFailure: (error: unknown) => void;
};

/**
 * Runs work and streams what it says: `info` lines, and last of all `complete` or `error`. What fails before the first
 * report is thrown, so that it is an ordinary error answer. The work goes on to its end when the client leaves. Spec
 * section 13.7.
 */
export async function streamLines({ clock, work, onFailure }: LineStreamOptions): Promise<Response> {
  const begun = Promise.withResolvers<void>();
  const lines = new LineStream(clock);
  let isBegun = false;
  const begin = (): void => {
    isBegun = true;
    begun.resolve();
  };
  void work((text) => {
    begin();
    lines.send({ type: 'info', data: text });
  })
    .then((completion) => {
      begin();
      lines.end({ type: 'complete', ...completion });
    })
    .catch((error: unknown) => {
      if (!isBegun) {
        begun.reject(error);
        return;
      }
      onFailure(error);
      const { body } = renderError(error);
      lines.end({ type: 'error', error: body.message, code: body.error });
    });
  await begun.promise;
  lines.keepAlive();
  return new Response(lines.body, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  });
}

/** Lines on their way to a client, who may leave at any time. */
class LineStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #clock: Clock;
  readonly #encoder = new TextEncoder();
  readonly #ended = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.#close(),
    });
  }

  send(line: Omit<CheckpointLine, 'time'>): void {
    const time = new Date(this.#clock.now()).toISOString();
    this.#write(`${JSON.stringify({ ...line, time })}\n`);
  }

  end(line: Omit<CheckpointLine, 'time'>): void {
    this.send(line);
    this.#controller?.close();
    this.#close();
  }

  /** Writes empty lines from time to time until the end. */
  keepAlive(): void {
    void this.#beat();
  }

  async #beat(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#clock.sleep(keepAliveMs, signal).catch(() => {
        // the stream has ended
      });
      if (!signal.aborted) this.#write('\n');
    }
  }

  #write(text: string): void {
    this.#controller?.enqueue(this.#encoder.encode(text));
  }

  #close(): void {
    this.#controller = undefined;
    this.#ended.abort();
  }
}

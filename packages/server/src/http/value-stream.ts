import { renderError } from '@sprites/contract';
import type { Clock } from '@sprites/core';

/** Time between two empty lines on a quiet stream, in `ms`. */
const keepAliveMs = 15_000;

export type ValueStreamOptions = {
  readonly clock: Clock;
  /** lines as values, some at a time; ended early when the client leaves */
  readonly values: AsyncIterator<readonly object[], object>;
  /** hears of a failure that became a line of the stream */
  readonly onFailure: (error: unknown) => void;
};

/**
 * Streams values as lines, as fast as the client reads; what the iterator returns at its end is the last line, marked
 * `complete`. What fails before the first line is thrown, so that it is an ordinary error answer; later it becomes a line.
 */
export async function streamValues(options: ValueStreamOptions): Promise<Response> {
  const first = await options.values.next();
  return new Response(new ValueStream(options, first).body, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  });
}

type Step = IteratorResult<readonly object[], object>;

class ValueStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: ValueStreamOptions;
  readonly #encoder = new TextEncoder();
  /** the step that has been made but not been sent */
  #pending: Promise<Step>;

  constructor(options: ValueStreamOptions, first: Step) {
    this.#options = options;
    this.#pending = Promise.resolve(first);
    this.body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: async () => {
          await options.values.return?.();
        },
      },
      { highWaterMark: 1 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const step = await this.#nextOrQuiet();
      if (step === undefined) controller.enqueue(this.#encoder.encode('\n'));
      else if (step.done === true) this.#end(controller, { type: 'complete', ...step.value });
      else {
        controller.enqueue(this.#encoder.encode(step.value.map(toLine).join('')));
        this.#pending = this.#options.values.next();
        // whoever pulls next hears of it
        this.#pending.catch(() => undefined);
      }
    } catch (error) {
      this.#options.onFailure(error);
      const { body } = renderError(error);
      this.#end(controller, { type: 'error', error: body.message, code: body.error });
    }
  }

  /** The next step; undefined when none came for so long that the client must be told the server is there. */
  async #nextOrQuiet(): Promise<Step | undefined> {
    const settled = new AbortController();
    const quiet = this.#options.clock.sleep(keepAliveMs, settled.signal).then(
      () => undefined,
      () => undefined,
    );
    try {
      return await Promise.race([this.#pending, quiet]);
    } finally {
      settled.abort();
    }
  }

  #end(controller: ReadableStreamDefaultController<Uint8Array>, line: object): void {
    const time = new Date(this.#options.clock.now()).toISOString();
    controller.enqueue(this.#encoder.encode(toLine({ ...line, time })));
    controller.close();
  }
}

function toLine(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

import { Worker } from 'node:worker_threads';
import { SpriteError } from '@sprites/contract';
import type { Message, Task } from './worker-messages.ts';

const mostMemoryMb = 1024;

type Content = Extract<Message, { type: 'changes' | 'text' }>;

/** A thread that compares two trees: the calls that takes are quickest one after the other, and would stop the server. */
export class TreeWorker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #inbox: Inbox;
  readonly #waiting: Int32Array;

  /** Begins to start the thread, which takes some time. */
  constructor(signal: AbortSignal) {
    const waiting = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#waiting = new Int32Array(waiting);
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: waiting,
      resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
    });
    this.#inbox = new Inbox(this.#worker, signal);
  }

  /** What the thread finds; it does one task only. */
  async *run(task: Task): AsyncGenerator<Content, void, undefined> {
    this.#worker.postMessage(task);
    for (;;) {
      const message = await this.#inbox.next();
      Atomics.sub(this.#waiting, 0, 1);
      Atomics.notify(this.#waiting, 0);
      if (message.type === 'done') return;
      if (message.type === 'failed') throw failure(message);
      yield message;
    }
  }

  /** Ends the thread wherever it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#inbox.close();
    await this.#worker.terminate();
  }
}

/** Messages in the order of arrival; the worker sends only a few ahead. */
class Inbox {
  readonly #messages: Message[] = [];
  readonly #closed = new AbortController();
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(worker: Worker, signal: AbortSignal) {
    worker.on('message', (message: Message) => {
      this.#messages.push(message);
      this.#wake();
    });
    const fail = (cause: unknown): void => {
      this.#failure ??= cause;
      this.#wake();
    };
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('the thread that compares disks ended early')));
    signal.addEventListener('abort', () => fail(signal.reason), { signal: this.#closed.signal });
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#closed.abort();
  }
}

function failure({ code, message }: Extract<Message, { type: 'failed' }>): Error {
  if (code !== undefined) return new SpriteError(code, message);
  const cause = new Error(message);
  if (!/\b(EIO|EUCLEAN|EBADMSG)\b/.test(message)) return cause;
  return new SpriteError('checkpoint_damaged', 'a disk has places that cannot be read', { cause });
}

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
  #isAtWork = false;

  /** Begins to start the thread, which takes some time. */
  constructor() {
    const waiting = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#waiting = new Int32Array(waiting);
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: waiting,
      resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
    });
    this.#inbox = new Inbox(this.#worker);
  }

  /** Whether it can be given a task: it lives, and has done the one before to its end. */
  get isFree(): boolean {
    return !this.#isAtWork && !this.#inbox.hasFailed;
  }

  /** What the thread finds. One that is left before its end, or fails, does no other. */
  async *run(task: Task, signal: AbortSignal): AsyncGenerator<Content, void, undefined> {
    this.#isAtWork = true;
    using _ = this.#inbox.failOn(signal);
    this.#worker.postMessage(task);
    for (;;) {
      const message = await this.#inbox.next();
      Atomics.sub(this.#waiting, 0, 1);
      Atomics.notify(this.#waiting, 0);
      if (message.type === 'failed') throw failure(message);
      if (message.type === 'done') break;
      yield message;
    }
    this.#isAtWork = false;
  }

  /** Whether the process stays for its sake. */
  set isNeeded(isNeeded: boolean) {
    if (isNeeded) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Ends the thread wherever it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Messages in the order of arrival; the worker sends only a few ahead. */
class Inbox {
  readonly #messages: Message[] = [];
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(worker: Worker) {
    worker.on('message', (message: Message) => {
      this.#messages.push(message);
      this.#wake();
    });
    worker.on('error', (cause) => this.#fail(cause));
    worker.on('exit', () => this.#fail(new Error('the thread that compares disks ended early')));
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Has whoever waits for a message hear of the signal, until it is disposed of. */
  failOn(signal: AbortSignal): Disposable {
    const onAbort = (): void => this.#fail(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', onAbort) };
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

  #fail(cause: unknown): void {
    this.#failure ??= cause;
    this.#wake();
  }
}

function failure({ code, message }: Extract<Message, { type: 'failed' }>): Error {
  if (code !== undefined) return new SpriteError(code, message);
  const cause = new Error(message);
  if (!/\b(EIO|EUCLEAN|EBADMSG)\b/.test(message)) return cause;
  return new SpriteError('checkpoint_damaged', 'a disk has places that cannot be read', { cause });
}

import { Worker } from 'node:worker_threads';
import { FileError } from '@sprites/contract/files';
import { releaseMemory } from '../kernel/memory.ts';
import type { Failure, InputOf, OperationName, Order, PieceOf, Reply } from './messages.ts';

type Waiting = PromiseWithResolvers<Reply>;

export type FileThreadOptions = {
  /** the program to run as the thread */
  readonly script: string;
  /** the user whose rights operations have */
  readonly account: string;
  /** how long the thread is kept for the next operation, in `ms`: starting it takes 20 ms, having it some megabytes */
  readonly idleMs: number;
};

/**
 * The thread that touches files. It takes on the rights of the sprite's user as no other thread does, and when a file
 * system makes it wait, commands go on. It is started by the first operation and ended when there was none for a while.
 */
export class FileThread {
  readonly #options: FileThreadOptions;
  readonly #jobs = new Map<number, Waiting | undefined>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(options: FileThreadOptions) {
    this.#options = options;
  }

  /** Carries out an operation whose answer is one piece. */
  async call<N extends OperationName>(operation: N, input: InputOf<N>): Promise<PieceOf<N>> {
    for await (const piece of this.run(operation, input)) return piece;
    throw new Error(`file operation ${operation} gave no answer`);
  }

  /** Carries out an operation. Leaving the iteration or `signal` ends it; a value given to `next` is passed to it. */
  async *run<N extends OperationName>(
    operation: N,
    input: InputOf<N>,
    signal?: AbortSignal,
  ): AsyncGenerator<PieceOf<N>, void, unknown> {
    const id = ++this.#lastId;
    this.#jobs.set(id, undefined);
    this.#send({ type: 'start', id, operation, input });
    const onAbort = (): void => this.#jobs.get(id)?.resolve({ type: 'end', id });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      let value: unknown;
      while (signal?.aborted !== true) {
        const reply = await this.#next(id, value);
        if (reply.type === 'end') return;
        if (reply.type === 'failed') throw toError(reply.failure);
        // The thread answers each operation with its own kind of pieces.
        value = yield reply.piece as PieceOf<N>;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#worker?.postMessage({ type: 'stop', id } satisfies Order);
      this.#jobs.delete(id);
      this.#rest();
    }
  }

  #next(id: number, value: unknown): Promise<Reply> {
    const waiting = Promise.withResolvers<Reply>();
    this.#jobs.set(id, waiting);
    this.#send({ type: 'next', id, value });
    return waiting.promise;
  }

  #send(order: Order): void {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.postMessage(order);
  }

  #start(): Worker {
    const { script, account } = this.#options;
    // Files it has opened stay open when it ends: their bytes are moved by the other thread, for longer than it is kept.
    const worker = new Worker(script, { workerData: account, execArgv: [], trackUnmanagedFds: false });
    worker.on('message', (reply: Reply) => this.#jobs.get(reply.id)?.resolve(reply));
    worker.on('error', (error) => console.error('file thread failed:', error));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const error = new FileError('EIO', '', 'the program in the sprite gave up the operation; try again');
      for (const waiting of this.#jobs.values()) waiting?.reject(error);
    });
    return worker;
  }

  #rest(): void {
    if (this.#jobs.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate().then(releaseMemory);
    }, this.#options.idleMs);
  }
}

function toError({ code, path, message }: Failure): Error {
  if (code === undefined) return new Error(`file operation failed: ${message}`);
  return Object.assign(new FileError(code, path), { message });
}

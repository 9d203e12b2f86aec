import type { MessagePort } from 'node:worker_threads';
import { FileError } from '@sprites/contract/files';
import type { Failure, Order, Reply } from '../messages.ts';
import { createContext, type OperationContext } from './context.ts';
import { operations } from './operations.ts';

type Job = { readonly abort: AbortController; readonly pieces: AsyncGenerator<unknown, unknown, unknown> };

/** Carries out the orders that come over `port`, as the account of that name, until the thread is ended. */
export function serveFiles(port: MessagePort, account: string): void {
  const jobs = new Map<number, Job>();
  port.on('message', (order: Order) => {
    switch (order.type) {
      case 'start':
        jobs.set(order.id, startJob(order, account));
        return;
      case 'next':
        void advance(jobs, order).then((reply) => port.postMessage(reply));
        return;
      case 'stop':
        stop(jobs, order.id);
        return;
      default:
        order satisfies never;
    }
  });
}

function startJob({ operation, input }: Order & { readonly type: 'start' }, account: string): Job {
  const abort = new AbortController();
  // Both sides are of one build, and `FileThread` gives each operation its own kind of input.
  const run = operations[operation] as (given: unknown, context: OperationContext) => Job['pieces'];
  return { abort, pieces: run(input, createContext(account, abort.signal)) };
}

async function advance(
  jobs: Map<number, Job>,
  { id, value }: Order & { readonly type: 'next' },
): Promise<Reply> {
  const job = jobs.get(id);
  try {
    if (job === undefined) throw new FileError('EIO', '', 'the operation is gone; try again');
    const { done, value: piece } = await job.pieces.next(value);
    if (done !== true) return { type: 'piece', id, piece };
    jobs.delete(id);
    return { type: 'end', id };
  } catch (error) {
    jobs.delete(id);
    return { type: 'failed', id, failure: toFailure(error) };
  }
}

function stop(jobs: Map<number, Job>, id: number): void {
  const job = jobs.get(id);
  jobs.delete(id);
  job?.abort.abort(new FileError('ECANCELED', ''));
  // When it is at work, the signal ends it, and this waits for that.
  job?.pieces.return(undefined).catch(() => undefined);
}

function toFailure(error: unknown): Failure {
  if (error instanceof FileError) return { code: error.code, path: error.path, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: undefined, path: '', message };
}

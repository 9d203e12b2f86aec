import { Worker } from 'node:worker_threads';
import { type ErrorCode, SpriteError } from '@sprites/contract/errors';
import { parseRestoreOrder, type RestoreOrder, type RestoreResult } from '@sprites/contract/restore';
import { readJson, sendJson } from '../http/answer.ts';
import { notAllowed, notFound, type Resource } from '../http/resource.ts';
import { releaseMemory } from '../kernel/memory.ts';
import { hasCode } from './open-directory.ts';
import { restorePaths } from './restore-paths.ts';

const checkpoints = '/.sprite/checkpoints';
const mostBodyBytes = 8 * 1024 * 1024;

/** What a thread is started with to restore paths. */
export type RestoreTask = { readonly kind: 'restore'; readonly order: RestoreOrder };

type Reply =
  | { readonly result: RestoreResult }
  | { readonly code: ErrorCode | undefined; readonly message: string };

/** Puts single paths of a checkpoint back, `/v1/restore`; only the server may ask, as it shows the checkpoint meanwhile. */
export function createRestoreResource(script: string): Resource {
  return {
    answer: async ({ request, response, method, path, origin }) => {
      if (path.length > 0 || origin !== 'host') throw notFound('restore', path);
      if (method !== 'POST') throw notAllowed('restore', method);
      const order = parseRestoreOrder(await readJson(request, mostBodyBytes));
      if (order === undefined) throw new SpriteError('invalid_request', 'the body is no order to restore');
      sendJson(response, 200, await runInThread(script, order));
    },
  };
}

/** The work of the thread. */
export function runRestore({ order }: RestoreTask): Reply {
  try {
    return { result: restorePaths({ ...order, source: `${checkpoints}/${order.checkpoint}` }) };
  } catch (error) {
    if (error instanceof SpriteError) return { code: error.code, message: error.message };
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
      return { code: 'out_of_space', message: "the sprite's disk is full; the path is as it was before" };
    }
    if (hasCode(error, 'EBUSY')) {
      return { code: 'invalid_request', message: 'a path is a mount point now; unmount it first' };
    }
    return {
      code: undefined,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

/** Commands go on while a thread reads and writes. */
async function runInThread(script: string, order: RestoreOrder): Promise<RestoreResult> {
  const worker = new Worker(script, {
    workerData: { kind: 'restore', order } satisfies RestoreTask,
    execArgv: [],
  });
  try {
    const reply = await new Promise<Reply>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error('the thread that restores ended early')));
    });
    if ('result' in reply) return reply.result;
    if (reply.code === undefined) throw new Error(reply.message);
    throw new SpriteError(reply.code, reply.message);
  } finally {
    await worker.terminate();
    releaseMemory();
  }
}

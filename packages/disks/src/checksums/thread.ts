import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type Job, type Made, make, type Verified, verify } from './jobs.ts';
import { type Measured, type MeasureJob, measure } from './measure.ts';

/** A job with the number its answer carries. */
export type Question = { readonly id: number; readonly job: Job | MeasureJob };
export type Answer =
  | { readonly id: number; readonly type: 'done'; readonly result: Made | Verified | Measured }
  | {
      readonly id: number;
      readonly type: 'failed';
      readonly message: string;
      readonly code: string | undefined;
    };

const lowestPriority = 19;

const port = parentPort;
if (port === null) throw new Error('this program is a thread of the server');
// of this thread alone: what people wait for comes first
setPriority(0, lowestPriority);
const known = { pass: '', hashes: new Map<string, Buffer>() };
let turn = Promise.resolve();
port.on('message', ({ id, job }: Question) => {
  turn = turn.then(async () => port.postMessage(await answer(id, job)));
});

async function answer(id: number, job: Job | MeasureJob): Promise<Answer> {
  try {
    return { id, type: 'done', result: await run(job) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, type: 'failed', message, code };
  }
}

function run(job: Job | MeasureJob): Promise<Made | Verified | Measured> {
  if (job.type === 'measure') return measure(job);
  if (job.type === 'make') return make(job);
  if (job.pass !== known.pass) Object.assign(known, { pass: job.pass, hashes: new Map() });
  return verify(job, known.hashes);
}

import { SpriteError } from '@sprites/contract';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../system-clock.ts';
import { type LineStreamOptions, streamLines } from './ndjson.ts';

const silent: LineStreamOptions['onFailure'] = () => {};

async function linesOf(work: LineStreamOptions['work'], onFailure = silent): Promise<readonly unknown[]> {
  const response = await streamLines({ clock: systemClock, work, onFailure });
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line));
}

const time = expect.any(String);

describe('streamLines', () => {
  it('streams what is reported and ends with what came of it', async () => {
    const lines = await linesOf(async (report) => {
      report('one');
      await Promise.resolve();
      report('two');
      return { data: 'done', checkpoint: 'v1' };
    });
    expect(lines).toEqual([
      { type: 'info', data: 'one', time },
      { type: 'info', data: 'two', time },
      { type: 'complete', data: 'done', checkpoint: 'v1', time },
    ]);
  });

  it('throws what fails before the first report', async () => {
    const refused = linesOf(async () => {
      throw new SpriteError('operation_in_progress', 'busy');
    });
    await expect(refused).rejects.toMatchObject({ code: 'operation_in_progress' });
  });

  it('ends with the error and its code when it fails later, and tells the server’s log', async () => {
    const failures: unknown[] = [];
    const error = new SpriteError('wake_failed', 'it did not start');
    const lines = await linesOf(
      async (report) => {
        report('one');
        throw error;
      },
      (failure) => void failures.push(failure),
    );
    expect(lines.at(-1)).toEqual({ type: 'error', error: 'it did not start', code: 'wake_failed', time });
    expect(failures).toEqual([error]);
  });

  it('lets the work go on to its end when the client leaves', async () => {
    const left = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<string>();
    const work: LineStreamOptions['work'] = async (report) => {
      report('one');
      await left.promise;
      report('two');
      ended.resolve('ended');
      return { data: 'done' };
    };
    const response = await streamLines({ clock: systemClock, work, onFailure: silent });
    await response.body?.cancel();
    left.resolve();
    expect(await ended.promise).toBe('ended');
  });
});

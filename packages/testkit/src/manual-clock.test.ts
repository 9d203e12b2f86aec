import { describe, expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';

describe('ManualClock', () => {
  it('ends sleeps in the order they fall due, also those begun meanwhile', async () => {
    const clock = new ManualClock(0);
    const log: string[] = [];
    const twice = async (): Promise<void> => {
      await clock.sleep(10);
      log.push(`a ${clock.now()}`);
      await clock.sleep(10);
      log.push(`b ${clock.now()}`);
    };
    const both = Promise.all([twice(), clock.sleep(15).then(() => log.push(`c ${clock.now()}`))]);
    await clock.advance(100);
    await both;
    expect(log).toEqual(['a 10', 'c 15', 'b 20']);
    expect(clock.now()).toBe(100);
    expect(clock.sleeping).toBe(0);
  });

  it('rejects a sleep with the reason of its signal', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
  });
});

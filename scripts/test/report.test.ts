import { describe, expect, it } from 'vitest';
import { parseReport } from './report.ts';

describe('parseReport', () => {
  it('adds up tests that were skipped or are yet to be written', () => {
    const text = JSON.stringify({
      numPassedTests: 3,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 1,
    });
    expect(parseReport(text)).toEqual({ passed: 3, failed: 1, skipped: 3 });
  });

  it.each(['', '{', 'null', '{"numPassedTests":"many"}'])('counts the report %j as a failure', (text) => {
    expect(parseReport(text)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

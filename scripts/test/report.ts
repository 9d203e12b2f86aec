/** How many tests ended how. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The sum of all of them. */
export function addCounts(all: readonly Counts[]): Counts {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
  };
}

/** Reads the counts out of Vitest's JSON report; a report that is not there or not whole counts as one failure. */
export function parseReport(text: string): Counts {
  const report = parseJson(text);
  const passed = count(report, 'numPassedTests');
  const failed = count(report, 'numFailedTests');
  const pending = count(report, 'numPendingTests');
  if (passed === undefined || failed === undefined || pending === undefined) {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  return { passed, failed, skipped: pending + (count(report, 'numTodoTests') ?? 0) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Vitest was killed before it wrote the file, or while.
    return undefined;
  }
}

function count(report: unknown, key: string): number | undefined {
  if (typeof report !== 'object' || report === null) return undefined;
  const value: unknown = Reflect.get(report, key);
  return typeof value === 'number' ? value : undefined;
}

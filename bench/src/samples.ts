/** What a measurement found, one line of the table. */
export type Row = {
  readonly what: string;
  readonly n: number;
  /** median, or the one value where `n` is 1 */
  readonly p50: number;
  readonly p99?: number;
  readonly unit: 'ms' | 'MB/s' | 'MB' | 's' | 'of' | '/s' | '×';
  /** what is promised, in words */
  readonly promise?: string;
  /** whether the promise is kept; undefined for peers */
  readonly kept?: boolean;
};

/** Runs `body` once to warm up and `n` times on the clock; milliseconds in the order they were measured. */
export async function timeEach(
  n: number,
  body: (index: number) => Promise<void>,
): Promise<readonly number[]> {
  await body(-1);
  const samples: number[] = [];
  for (let index = 0; index < n; index++) {
    const startedMs = performance.now();
    await body(index);
    samples.push(performance.now() - startedMs);
  }
  return samples;
}

/** The value below which the fraction `q` of the samples lies (nearest rank). */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(q * sorted.length) - 1);
  return sorted[rank] ?? Number.NaN;
}

/** A line of latencies beside its promise for the median; a factor bounds the 99th percentile as well. */
export function latencyRow(
  what: string,
  samples: readonly number[],
  promise?: { readonly p50Ms: number; readonly p99Factor?: number },
): Row {
  const p50 = quantile(samples, 0.5);
  const p99 = quantile(samples, 0.99);
  const row: Row = { what, n: samples.length, p50, p99, unit: 'ms' };
  if (promise === undefined) return row;
  const { p50Ms, p99Factor } = promise;
  const tail = p99Factor === undefined ? '' : `, p99 ≤ ${p99Factor} × p50`;
  const kept = p50 <= p50Ms && (p99Factor === undefined || p99 <= p99Factor * p50);
  return { ...row, promise: `p50 ≤ ${p50Ms} ms${tail}`, kept };
}

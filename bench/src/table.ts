import type { Row } from './samples.ts';

/** The rows as a table for a terminal; the same text is good Markdown. */
export function renderTable(rows: readonly Row[]): string {
  const head = ['what', 'n', 'p50', 'p99', 'unit', 'promise', 'kept'];
  const lines = rows.map((row) => [
    row.what,
    String(row.n),
    format(row.p50),
    row.p99 === undefined ? '' : format(row.p99),
    row.unit,
    row.promise ?? '',
    row.kept === undefined ? '' : row.kept ? 'yes' : 'NO',
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const toLine = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [
    toLine(head),
    `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`,
    ...lines.map(toLine),
  ].join('\n');
}

function format(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

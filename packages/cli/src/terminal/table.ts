import { stripVTControlCharacters } from 'node:util';

/** Lays out rows under a heading in columns two spaces apart; colours do not count as width. */
export function formatTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))));
  return all.map((row) => formatRow(row, widths)).join('\n');
}

/** Lays out `name  value` lines. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const nameWidth = Math.max(0, ...fields.map(([name]) => width(name)));
  return fields.map(([name, value]) => formatRow([name, value], [nameWidth, 0])).join('\n');
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
    .join('  ')
    .trimEnd();
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

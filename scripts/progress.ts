/** A line that shows how far something is. */
export type Progress = Disposable & {
  /** Shows `fraction` (0 … 1, anything else is "unknown") and what is going on at the moment. */
  update(fraction: number, text: string): void;
};

/**
 * Shows one line of progress on a terminal, redrawn in place; elsewhere (a log file) the title once and the time at the end.
 * Disposing it ends the line.
 */
export function showProgress(title: string): Progress {
  const startedMs = performance.now();
  const out = process.stdout;
  if (!out.isTTY) console.log(`${title} …`);
  let drawn = '';
  function draw(text: string): void {
    if (!out.isTTY) return;
    drawn = text;
    out.write(`\r\u001b[K${text.slice(0, Math.max(20, out.columns - 1))}`);
  }
  draw(`${title} …`);
  return {
    update(fraction, text) {
      const known = Number.isFinite(fraction) && fraction >= 0 && fraction <= 1;
      draw(`${title} ${known ? bar(fraction) : '…'} ${text}`);
    },
    [Symbol.dispose]() {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      if (drawn !== '') draw('');
      console.log(`${title}: ${seconds} s`);
    },
  };
}

function bar(fraction: number): string {
  const full = Math.round(fraction * 20);
  return `[${'#'.repeat(full)}${'.'.repeat(20 - full)}] ${String(Math.round(fraction * 100)).padStart(3)} %`;
}

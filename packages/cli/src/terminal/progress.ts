import type { Cli } from '../cli.ts';

const showAfterMs = 500;
const frameMs = 80;
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const clearLine = '\r\x1b[2K';

/** A line on stderr that says something is going on; `stop()` takes it away, twice is fine. */
export type Progress = { stop(): void };

/** Shows a spinner with `text`, or what it answers each time, once half a second has passed; nothing when stderr is not a terminal. */
export function startProgress(cli: Cli, text: string | (() => string)): Progress {
  if (cli.stderr.isTTY !== true) return { stop: () => undefined };
  const startedAt = Date.now();
  let shown = false;
  const timer = setInterval(() => {
    const elapsedMs = Date.now() - startedAt;
    if (elapsedMs < showAfterMs) return;
    shown = true;
    cli.stderr.write(
      `${clearLine}${frames[Math.floor(elapsedMs / frameMs) % frames.length]} ${typeof text === 'string' ? text : text()}`,
    );
  }, frameMs);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
      if (shown) cli.stderr.write(clearLine);
      shown = false;
    },
  };
}

/** Runs `work` under a spinner. */
export async function withProgress<Value>(
  cli: Cli,
  text: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const progress = startProgress(cli, text);
  try {
    return await work();
  } finally {
    progress.stop();
  }
}

import type { ReadStream } from 'node:tty';

/**
 * Puts the terminal into raw mode: keys come one by one and unchanged. The returned function puts it back, as does the
 * end of the process, whatever ends it; twice is fine.
 */
export function enterRawMode(stdin: ReadStream): () => void {
  const set = (raw: boolean): void => {
    if (stdin.isTTY && !stdin.destroyed) stdin.setRawMode(raw);
  };
  const restore = (): void => set(false);
  // After a stop and a continue the shell has left its own mode behind.
  const again = (): void => set(true);
  set(true);
  process.once('exit', restore);
  process.on('SIGCONT', again);
  return () => {
    process.off('exit', restore);
    process.off('SIGCONT', again);
    restore();
  };
}

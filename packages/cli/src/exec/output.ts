import type { Readable, Writable } from 'node:stream';
import { CliError } from '../cli-error.ts';

/** Our output cannot be written: its reader has gone, as `head` does when it has enough, or the disk is full. */
export class OutputError extends CliError {
  readonly readerGone: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`cannot write the output: ${cause.code ?? cause.message}`, { cause });
    this.readerGone = cause.code === 'EPIPE';
  }
}

/**
 * Copies output as it comes, at the pace of its reader, byte for byte. `onChunk` sees each piece before it is written.
 * Resolves when the source has ended and everything was handed to the system; fails with OutputError.
 */
export async function copyOutput(
  from: Readable,
  to: Writable,
  onChunk: (chunk: Buffer) => void = () => undefined,
): Promise<void> {
  // Standard streams forget their error when it has been told, so it is taken from the write itself.
  const problem: { first?: Error } = {};
  const written = (error?: Error | null): void => {
    if (error) problem.first ??= error;
  };
  for await (const chunk of from) {
    onChunk(chunk);
    if (!to.write(chunk, written)) await drained(to);
    if (problem.first !== undefined) throw new OutputError(problem.first);
  }
  await flush(to);
  if (problem.first !== undefined) throw new OutputError(problem.first);
}

/** Resolves once everything written so far has left this process. */
export function flush(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (to.destroyed || to.writableEnded) resolve();
    else to.write('', () => resolve());
  });
}

function drained(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['drain', 'close', 'error'] as const) to.once(event, done);
    function done(): void {
      for (const event of ['drain', 'close', 'error'] as const) to.off(event, done);
      resolve();
    }
  });
}

import type { Readable, Writable } from 'node:stream';

/** Thrown when whoever read our output has gone, as `head` does when it has enough. */
export class OutputClosed extends Error {}

/**
 * Copies output as it comes, at the pace of its reader, byte for byte. `onChunk` sees each piece before it is written.
 * Resolves when the source has ended and everything was handed to the system.
 */
export async function copyOutput(
  from: Readable,
  to: Writable,
  onChunk: (chunk: Buffer) => void = () => undefined,
): Promise<void> {
  for await (const chunk of from) {
    onChunk(chunk);
    if (!to.write(chunk)) await drained(to);
    if (to.destroyed || to.errored) throw new OutputClosed();
  }
  await flush(to);
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

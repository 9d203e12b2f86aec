/** The first byte of each binary message of a command without a terminal. Spec section 5.5. */
export const streamIds = { stdin: 0, stdout: 1, stderr: 2, exit: 3, stdinEof: 4 } as const;

/** An output stream of a session. A TTY has stdout only, and its frames carry no id. */
export type OutputStreamId = typeof streamIds.stdout | typeof streamIds.stderr;

/** No frame a server sends is longer, its stream id included. */
export const maxFrameBytes = 32 * 1024;

/** What a binary message of a non-TTY session says. */
export type OutputFrame =
  | { readonly type: 'output'; readonly stream: OutputStreamId; readonly data: Uint8Array }
  | { readonly type: 'exit'; readonly exitCode: number };

/** Reads a binary message from a server; undefined for keep-alives and whatever else is to be ignored. */
export function parseOutputFrame(message: Uint8Array): OutputFrame | undefined {
  const id = message[0];
  if (id === streamIds.stdout || id === streamIds.stderr) {
    return { type: 'output', stream: id, data: message.subarray(1) };
  }
  const exitCode = message[1];
  return id === streamIds.exit && exitCode !== undefined && message.length === 2
    ? { type: 'exit', exitCode }
    : undefined;
}

/** The binary message that tells how a non-TTY command ended: exactly two bytes. */
export function formatExitFrame(exitCode: number): Uint8Array {
  return Uint8Array.of(streamIds.exit, exitCode);
}

/** A binary message with input for a non-TTY command. */
export function formatStdinFrame(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 1);
  frame[0] = streamIds.stdin;
  frame.set(data, 1);
  return frame;
}

/** The binary message that ends the input of a non-TTY command. */
export function formatStdinEofFrame(): Uint8Array {
  return Uint8Array.of(streamIds.stdinEof);
}

import { parseObject, parseOutputFrame, streamIds } from '@sprites/contract';
import type { SessionMessage } from '../options.ts';
import type { SessionListener } from './session.ts';

/** First byte of a binary message of a session without a terminal, under the names of the official SDK. */
export const StreamID = {
  Stdin: streamIds.stdin,
  Stdout: streamIds.stdout,
  Stderr: streamIds.stderr,
  Exit: streamIds.exit,
  StdinEOF: streamIds.stdinEof,
} as const;

/** Reads a text message; undefined when it is not a JSON object with a `type`, which clients skip. */
export function parseMessage(text: string): SessionMessage | undefined {
  const value = parseObject(text);
  return typeof value?.type === 'string' ? { ...value, type: value.type } : undefined;
}

/** Reads what a session sends, terminal or not, and remembers the exit status. */
export class FrameReader {
  /** whether messages are raw terminal bytes; `session_info` has the last word */
  tty: boolean;
  exitCode: number | undefined;
  readonly #listener: SessionListener;

  constructor(tty: boolean, listener: SessionListener) {
    this.tty = tty;
    this.#listener = listener;
  }

  /** Returns false when the listener wants no more for now. */
  binary(message: Uint8Array): boolean {
    // an empty message is a keep-alive
    if (message.length === 0) return true;
    if (this.tty) return this.#listener.output('stdout', message);
    const frame = parseOutputFrame(message);
    if (frame?.type === 'exit') this.exitCode ??= frame.exitCode;
    if (frame?.type !== 'output' || frame.data.length === 0) return true;
    return this.#listener.output(frame.stream === streamIds.stdout ? 'stdout' : 'stderr', frame.data);
  }

  text(text: string): void {
    const message = parseMessage(text);
    if (message === undefined) return;
    if (message.type === 'exit') {
      const code = message.exit_code;
      if (typeof code === 'number') this.exitCode ??= code;
      return;
    }
    if (message.type === 'session_info' && typeof message.tty === 'boolean') this.tty = message.tty;
    this.#listener.message(message);
  }
}

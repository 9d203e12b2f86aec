import type { SessionMessage } from '../options.ts';

/** Who hears what a session says; calls come in the order of the wire. */
export type SessionListener = {
  /** Output; false asks the session to stop reading until `resume()`. */
  readonly output: (stream: 'stdout' | 'stderr', data: Uint8Array) => boolean;
  /** Any text message but the exit. */
  readonly message: (message: SessionMessage) => void;
  /** The command has ended and all its output was heard; nothing follows. */
  readonly exit: (code: number) => void;
  /** The session was lost or refused; nothing follows. */
  readonly lost: (error: Error) => void;
};

/** One command on a connection of its own or on a control connection. */
export type Session = {
  /** Sends input; `done` is called when it has left this process. */
  write(data: Uint8Array, done: (error?: Error | null) => void): void;
  /** Ends the input; nothing happens on a terminal. */
  end(done: (error?: Error | null) => void): void;
  /** Sends a control message such as `resize`. */
  tell(message: SessionMessage): void;
  resume(): void;
  /** Lets go of the session without a word to the command. */
  close(): void;
};

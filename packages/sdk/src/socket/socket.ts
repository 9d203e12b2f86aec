/** What comes in over a socket. `close` is called once, last, whoever closed it. */
export type SocketHandlers = {
  readonly text: (data: string) => void;
  readonly binary: (data: Uint8Array) => void;
  readonly close: (code: number, reason: string) => void;
};

/** An open WebSocket whose both directions can be slowed down. */
export type Socket = {
  /** Sends one message; `done` is called when it has left this process or never will. */
  send(data: string | Uint8Array, done?: (error?: Error | null) => void): void;
  /** Stops reading, so that the peer is slowed down by the network. */
  pause(): void;
  resume(): void;
  /** Whether the open socket keeps the process alive. */
  setReferenced(referenced: boolean): void;
  /** Closes politely, with a time limit; twice is fine. */
  close(code: number): void;
};

export type SocketAddress = {
  readonly url: URL;
  readonly token: string;
  readonly signal?: AbortSignal | undefined;
};

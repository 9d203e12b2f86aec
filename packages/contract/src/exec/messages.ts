/** First message on every exec socket; says who the session is and how its frames are to be read. Spec section 5.4. */
export type SessionInfo = {
  readonly type: 'session_info';
  readonly session_id: string;
  readonly command: string;
  /** start of the session in Unix `s` */
  readonly created: number;
  /** columns of the terminal, 0 without one */
  readonly cols: number;
  readonly rows: number;
  /** whether this connection created the session */
  readonly is_owner: boolean;
  readonly tty: boolean;
  /** output offset at which this connection's output starts; add the bytes received to resume later with `cursor` */
  readonly cursor: number;
  /** bytes of output the session had written when the client joined */
  readonly end: number;
};

/** How the command ended; sent after all output. `code` repeats it for the Elixir client. */
export type ExitMessage = { readonly type: 'exit'; readonly exit_code: number; readonly code: number };

/**
 * Output bytes `from` (inclusive) to `to` (exclusive) are no longer kept and are skipped. Sent right after
 * `session_info` when an attach asks for them, or later when the sprite's disk was too full to keep output.
 */
export type GapMessage = { readonly type: 'gap'; readonly from: number; readonly to: number };

/** Something the client sent could not be done; the session goes on. */
export type ErrorMessage = { readonly type: 'error'; readonly message: string };

export type ServerMessage = SessionInfo | ExitMessage | GapMessage | ErrorMessage;

export type ResizeMessage = { readonly type: 'resize'; readonly rows: unknown; readonly cols: unknown };
export type SignalMessage = { readonly type: 'signal'; readonly signal: string };
export type ClientMessage = ResizeMessage | SignalMessage;

/** The text message that ends a session. */
export function formatExitMessage(exitCode: number): ExitMessage {
  return { type: 'exit', exit_code: exitCode, code: exitCode };
}

/** Reads a client's text message; undefined for unknown types and for what is no message at all: both are ignored. */
export function parseClientMessage(text: string): ClientMessage | undefined {
  const value = parseObject(text);
  if (value?.type === 'resize') return { type: 'resize', rows: value.rows, cols: value.cols };
  const signal = value?.signal;
  return value?.type === 'signal' && typeof signal === 'string' ? { type: 'signal', signal } : undefined;
}

/** Reads a server's text message; undefined for types a client does not need to know. */
export function parseServerMessage(text: string): ServerMessage | undefined {
  const value = parseObject(text);
  switch (value?.type) {
    case 'session_info':
      return {
        type: 'session_info',
        session_id: String(value.session_id ?? ''),
        command: String(value.command ?? ''),
        created: toInteger(value.created),
        cols: toInteger(value.cols),
        rows: toInteger(value.rows),
        is_owner: value.is_owner === true,
        tty: value.tty === true,
        cursor: toInteger(value.cursor),
        end: toInteger(value.end),
      };
    case 'exit':
      return formatExitMessage(toInteger(value.exit_code ?? value.code));
    case 'gap':
      return { type: 'gap', from: toInteger(value.from), to: toInteger(value.to) };
    case 'error':
      return { type: 'error', message: String(value.message ?? '') };
    default:
      return undefined;
  }
}

/** Reads JSON text that must be an object; undefined for anything else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // Any object but null and arrays has string keys.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    // Text that is no JSON is not a message; callers ignore it.
    return undefined;
  }
}

function toInteger(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}

import {
  formatExitFrame,
  formatExitMessage,
  type OutputStreamId,
  parseClientMessage,
  parseObject,
  parseSignal,
  streamIds,
} from '@sprites/contract/exec';
import type { PortMonitor } from '../ports/port-monitor.ts';
import type { SessionClient } from '../sessions/audience.ts';
import type { Session } from '../sessions/session.ts';
import type { WebSocket } from './web-socket.ts';

/** A binary frame that holds a control message is no longer; JS on a control socket sends such. Spec section 8.3. */
const largestBinaryMessageBytes = 4096;

/**
 * How a client writes its binary messages: with a stream id, as all do on direct sockets; with a stream id or as
 * JSON, as JS does on control sockets; or bare input, as Go does there.
 */
export type InputDialect = 'ids' | 'ids-or-json' | 'bare';

export type ExecClientOptions = {
  readonly dialect: InputDialect;
  /** whether the client joins a session that others may have begun */
  readonly attached: boolean;
  /** tells of ports that the command opens */
  readonly ports: PortMonitor;
  /** called after the exit messages were sent */
  readonly onFinished: (exitCode: number) => void;
};

/** One client of a session over a WebSocket: output becomes frames, frames become input. */
export class ExecClient implements SessionClient {
  readonly #session: Session;
  readonly #socket: WebSocket;
  readonly #options: ExecClientOptions;
  #stopPorts: () => void = () => {};
  #firstFrame = true;
  /** what the binary message under way is: input, or a JSON message collected until it is whole */
  #skipping = false;
  #json: Buffer[] | undefined;

  constructor(session: Session, socket: WebSocket, options: ExecClientOptions) {
    this.#session = session;
    this.#socket = socket;
    this.#options = options;
  }

  /** Begins to tell the client of ports, which must know the session by then. */
  watchPorts(): void {
    const { pid } = this.#session;
    if (pid === undefined) return;
    this.#stopPorts = this.#options.ports.watchProcess(pid, (event) => this.#socket.sendJson(event));
  }

  output(stream: OutputStreamId, buffer: Buffer, start: number, end: number): boolean {
    if (this.#session.tty) return this.#socket.sendInPlace(buffer, start, end);
    buffer[start - 1] = stream;
    return this.#socket.sendInPlace(buffer, start - 1, end);
  }

  finished(exitCode: number): void {
    this.#stopPorts();
    this.#socket.together(() => {
      if (!this.#session.tty) this.#socket.sendBinary(formatExitFrame(exitCode));
      this.#socket.sendJson(formatExitMessage(exitCode));
      this.#options.onFinished(exitCode);
    });
  }

  /** The socket has sent what it held back. */
  sent(): void {
    this.#session.sent(this);
  }

  leave(): void {
    this.#stopPorts();
    this.#session.leave(this);
  }

  takeText(text: string): void {
    const message = parseClientMessage(text);
    if (message?.type === 'resize') this.#session.resize(message.rows, message.cols);
    if (message?.type === 'signal') this.#signal(message.signal);
  }

  takeBinary(piece: Buffer, first: boolean, last: boolean): void {
    const whole = first && last;
    const lone = this.#firstFrame && whole && isEof(piece);
    this.#firstFrame = false;
    // Clients send an end of input on attach before they know that a terminal would take it for Ctrl-D.
    if (lone && this.#options.attached) return;
    if (this.#collectJson(piece, first, last)) return;
    if (!this.#session.tty && whole && isEof(piece)) this.#session.endInput();
    else if (this.#session.tty || this.#options.dialect === 'bare') this.#write(piece);
    else this.#takeWithId(piece, first);
  }

  #takeWithId(piece: Buffer, first: boolean): void {
    if (first) this.#skipping = piece[0] !== streamIds.stdin;
    if (!this.#skipping) this.#write(first ? piece.subarray(1) : piece);
  }

  #write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (!this.#session.write(bytes, () => this.#socket.resume())) this.#socket.pause();
  }

  #signal(name: string): void {
    try {
      this.#session.signal(parseSignal(name));
    } catch (error) {
      // The command goes on; clients that know no such message pass it to their user or drop it.
      this.#socket.sendJson({
        type: 'error',
        message: error instanceof Error ? error.message : 'bad signal',
      });
    }
  }

  /** Takes a binary message that is a control message; false when it is input. */
  #collectJson(piece: Buffer, first: boolean, last: boolean): boolean {
    if (this.#options.dialect !== 'ids-or-json') return false;
    if (first && piece[0] === 0x7b && piece.length <= largestBinaryMessageBytes) this.#json = [];
    if (this.#json === undefined) return false;
    this.#json.push(piece);
    const text = Buffer.concat(this.#json);
    if (!last && text.length <= largestBinaryMessageBytes) return true;
    this.#json = undefined;
    const type = last ? parseObject(text.toString())?.type : undefined;
    if (type === 'resize' || type === 'signal') this.takeText(text.toString());
    else if (this.#session.tty) this.#write(text);
    else this.#skipping = true;
    return true;
  }
}

function isEof(piece: Buffer): boolean {
  return piece.length === 1 && piece[0] === streamIds.stdinEof;
}

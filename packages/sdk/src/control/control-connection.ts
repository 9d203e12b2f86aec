import {
  controlPrefix,
  endpoints,
  formatOpStart,
  formatStdinEofFrame,
  formatStdinFrame,
} from '@sprites/contract';
import { ConnectionError } from '../errors.ts';
import { FrameReader, parseMessage } from '../exec/frames.ts';
import { type CommandLine, controlArgs } from '../exec/query.ts';
import type { Session, SessionListener } from '../exec/session.ts';
import { endpointURL } from '../http/request.ts';
import type { SessionMessage, SpawnOptions } from '../options.ts';
import type { Socket } from '../socket/socket.ts';
import { openWsSocket } from '../socket/ws-socket.ts';
import type { Sprite } from '../sprite.ts';

type Operation = { readonly reader: FrameReader; readonly listener: SessionListener };

/** A kept connection that runs commands one after the other. Whoever opens it closes it. Spec section 8. */
export class ControlConnection {
  readonly #sprite: Sprite;
  readonly #onIdle: (connection: ControlConnection) => void;
  readonly #onClosed: (connection: ControlConnection) => void;
  #socket: Socket | undefined;
  #operation: Operation | undefined;
  #closed = false;

  constructor(
    sprite: Sprite,
    on: {
      readonly idle?: (connection: ControlConnection) => void;
      readonly closed?: (connection: ControlConnection) => void;
    } = {},
  ) {
    this.#sprite = sprite;
    this.#onIdle = on.idle ?? (() => undefined);
    this.#onClosed = on.closed ?? (() => undefined);
  }

  async connect(signal?: AbortSignal): Promise<void> {
    const { client, name } = this.#sprite;
    this.#socket = await openWsSocket(
      { url: endpointURL(client.baseURL, endpoints.control, { name }), token: client.token, signal },
      {
        text: (text) => this.#text(text),
        binary: (data) => this.#binary(data),
        close: (code, reason) => this.#lose(code, reason),
      },
    );
  }

  /** Starts a command. One at a time: the connection must be idle. */
  start(command: CommandLine, options: SpawnOptions, listener: SessionListener): Session {
    const socket = this.#socket;
    if (socket === undefined || this.#closed) {
      throw new ConnectionError('closed', 'the control connection is not open');
    }
    if (this.#operation !== undefined) throw new TypeError('the control connection is in use');
    const reader = new FrameReader(options.tty ?? false, listener);
    const operation: Operation = { reader, listener };
    this.#operation = operation;
    socket.setReferenced(true);
    socket.send(formatOpStart('exec', controlArgs(command, options)));
    const isCurrent = (): boolean => this.#operation === operation;
    return {
      write: (data, done) => {
        if (!isCurrent()) return done();
        socket.send(reader.tty ? data : formatStdinFrame(data), done);
      },
      end: (done) => {
        if (!isCurrent() || reader.tty) return done();
        socket.send(formatStdinEofFrame(), done);
      },
      tell: (message) => {
        if (isCurrent()) socket.send(JSON.stringify(message));
      },
      resume: () => socket.resume(),
      close: () => {
        // there is no way to leave an operation but to leave the connection
        if (isCurrent()) this.close();
      },
    };
  }

  get isActive(): boolean {
    return this.#operation !== undefined;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Lets the process end although this connection is open. */
  setReferenced(referenced: boolean): void {
    this.#socket?.setReferenced(referenced);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#operation = undefined;
    this.#socket?.close(1000);
    this.#onClosed(this);
  }

  #text(text: string): void {
    if (text.startsWith(controlPrefix)) this.#control(text.slice(controlPrefix.length));
    else this.#operation?.reader.text(text);
  }

  #binary(data: Uint8Array): void {
    if (this.#operation?.reader.binary(data) === false) this.#socket?.pause();
  }

  #control(text: string): void {
    const operation = this.#operation;
    const message = parseMessage(text);
    if (operation === undefined || message === undefined) return;
    if (message.type === 'op.complete') {
      this.#settle(operation, exitCodeOf(message) ?? operation.reader.exitCode);
    } else if (message.type === 'op.error') {
      this.#release();
      operation.listener.lost(new ConnectionError('protocol', `the server refused: ${errorOf(message)}`));
    }
  }

  #settle(operation: Operation, code: number | undefined): void {
    this.#release();
    if (code !== undefined) operation.listener.exit(code);
    else operation.listener.lost(new ConnectionError('protocol', 'the command completed without a status'));
  }

  #release(): void {
    this.#operation = undefined;
    this.#socket?.resume();
    this.#onIdle(this);
  }

  #lose(code: number, reason: string): void {
    const operation = this.#operation;
    this.#operation = undefined;
    const wasOpen = !this.#closed;
    this.#closed = true;
    if (wasOpen) this.#onClosed(this);
    const why = reason === '' ? `code ${code}` : `code ${code}: ${reason}`;
    operation?.listener.lost(
      new ConnectionError('closed', `the control connection ended before the exit status arrived (${why})`),
    );
  }
}

function exitCodeOf(message: SessionMessage): number | undefined {
  const { args } = message;
  if (typeof args !== 'object' || args === null || !('exitCode' in args)) return undefined;
  return typeof args.exitCode === 'number' ? args.exitCode : undefined;
}

function errorOf(message: SessionMessage): string {
  const { args } = message;
  if (typeof args !== 'object' || args === null || !('error' in args)) return 'no reason given';
  return String(args.error);
}

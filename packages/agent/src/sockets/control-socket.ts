import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';
import {
  type ExecFields,
  formatControlAnswer,
  formatExitMessage,
  isRelease,
  parseBareStart,
  parseExecRequest,
  parseOpStart,
  toExecFields,
} from '@sprites/contract/exec';
import { type ProxyRequest, readProxyRequest } from '@sprites/contract/ports';
import type { PortMonitor } from '../ports/port-monitor.ts';
import { Tunnel } from '../proxy/tunnel.ts';
import { refusalCodes } from '../sessions/executable.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { ExecClient, type InputDialect } from './exec-client.ts';
import { joinAsGuest, joinAsOwner } from './join-session.ts';
import { WebSocket } from './web-socket.ts';

/** An op.start carries the whole command line and environment. */
const largestTextBytes = 4 * 1024 * 1024;

/** One control connection: exec operations one after another. Spec section 8. */
export class ControlSocket {
  readonly #sessions: SessionTable;
  readonly #socket: WebSocket;
  readonly #ports: PortMonitor;
  #client: ExecClient | Tunnel | undefined;
  /** the client, if it was asked for without the prefix */
  #bareTunnel: Tunnel | undefined;

  constructor(socket: Duplex, sessions: SessionTable, ports: PortMonitor) {
    this.#sessions = sessions;
    this.#ports = ports;
    this.#socket = new WebSocket(
      socket,
      {
        onBinary: (piece, first, last) => this.#client?.takeBinary(piece, first, last),
        onText: (text) => this.#takeText(text),
        onSent: () => this.#client?.sent(),
        onClosed: () => this.#client?.leave(),
      },
      largestTextBytes,
    );
  }

  /** Begins an operation as if the client had sent an op.start. Unknown ones are answered by op.error. */
  begin(op: string, fields: ExecFields): void {
    this.#guard(() => {
      if (this.#client !== undefined)
        throw new SpriteError('invalid_request', 'an operation is already running');
      if (op === 'exec') this.#exec(fields, isGo(fields) ? 'bare' : 'ids-or-json');
      else if (op === 'proxy') this.#proxy(fields);
      else throw new SpriteError('not_supported', `unknown operation ${JSON.stringify(op.slice(0, 40))}`);
    }, isGo(fields));
  }

  #takeText(text: string): void {
    this.#guard(() => {
      const start = parseOpStart(text);
      if (start !== undefined) this.begin(start.op, toExecFields(start.args));
      else if (this.#client === undefined) this.#beginBare(text);
      else if (this.#client === this.#bareTunnel && isRelease(text)) this.#bareTunnel.leave();
      else this.#client.takeText(text);
    });
  }

  /**
   * Begins what Go asks for without the prefix, and answers without it. Operations on files are refused in words: Go reads their answers with
   * two readers at once and waits for ever for what the wrong one has got, while its requests to `/fs` work.
   */
  #beginBare(text: string): void {
    const start = parseBareStart(text);
    if (start?.type === 'files') {
      const error = `${start.op} is not offered on control connections; use /fs`;
      this.#socket.sendJson({ error, code: 'EINVAL', path: '' });
      this.#socket.sendJson({ type: 'op.error', args: { error } });
    } else if (start?.type === 'proxy') {
      this.#bareProxy(start.host, start.port);
    }
  }

  #bareProxy(host: unknown, port: unknown): void {
    let request: ProxyRequest;
    try {
      request = readProxyRequest(host, port);
    } catch (error) {
      if (!(error instanceof SpriteError)) throw error;
      this.#socket.sendJson({ status: 'error', error: error.message });
      return;
    }
    // Go knows the end of a connection by the end of the socket only.
    const tunnel = new Tunnel(this.#socket, request, () => {
      this.#client = undefined;
      this.#bareTunnel = undefined;
      this.#socket.close(1000);
    });
    this.#client = tunnel;
    this.#bareTunnel = tunnel;
    void tunnel.open();
  }

  #exec(fields: ExecFields, dialect: InputDialect): void {
    const request = parseExecRequest(fields);
    const attached = request.type === 'attach';
    const session = attached ? this.#sessions.get(request.attach.id) : this.#sessions.start(request.command);
    const client = new ExecClient(session, this.#socket, {
      dialect,
      attached,
      ports: this.#ports,
      onFinished: (code) => this.#complete(code),
    });
    this.#client = client;
    if (attached) joinAsGuest(session, client, this.#socket, request.attach);
    else joinAsOwner(session, client, this.#socket);
  }

  /** A connection from inside; it ends with its target, since the client has no way to end it but to close. */
  #proxy(fields: ExecFields): void {
    const [host] = fields.getAll('host');
    const [port] = fields.getAll('port');
    const tunnel = new Tunnel(this.#socket, readProxyRequest(host, port), (end) => {
      if (end.type === 'closed') this.#complete(0);
      else this.#fail(end.reason);
    });
    this.#client = tunnel;
    void tunnel.open();
  }

  #fail(reason: string): void {
    this.#client = undefined;
    this.#socket.sendText(formatControlAnswer({ type: 'op.error', args: { error: reason } }));
    this.#socket.resume();
  }

  #complete(exitCode: number): void {
    this.#client = undefined;
    this.#socket.sendText(formatControlAnswer({ type: 'op.complete', args: { exitCode } }));
    this.#socket.resume();
  }

  /** What the client asked for wrongly ends the operation, not the connection. */
  #guard(action: () => void, needsExit = false): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SpriteError)) throw error;
      // Go does not know op.error and would wait for ever.
      if (needsExit && this.#client === undefined)
        this.#socket.sendJson(formatExitMessage(refusalCodes.cannotExecute));
      this.#socket.sendText(formatControlAnswer({ type: 'op.error', args: { error: error.message } }));
    }
  }
}

/** Only Go names the program apart from its arguments, and only Go sends input without a stream id. */
function isGo(fields: ExecFields): boolean {
  return fields.getAll('path').length > 0;
}

import type { Socket } from 'node:net';
import {
  endMessage,
  formatTarget,
  isEndMessage,
  type ProxyAnswer,
  type ProxyRequest,
} from '@sprites/contract/ports';
import type { WebSocket } from '../sockets/web-socket.ts';
import { connectTo, describeConnectFailure, isRefused } from './connect.ts';

/** Free bytes before what is read, where the frame's header goes. */
const headroomBytes = 16;
const chunkBytes = 48 * 1024;
/** JS attaches its listener after it has handled the answer; what comes in the same turn is lost to it. Spec section 9.1. */
const pauseMs = 50;

/** How a connection through the sprite ended: as TCP connections do, or by a failure. */
export type TunnelEnd = { readonly type: 'closed' } | { readonly type: 'failed'; readonly reason: string };

/**
 * One TCP connection from inside the sprite for a client at the other end of a WebSocket. Bytes flow only as fast as the
 * slower side takes them, and none is kept beyond one chunk in each direction.
 */
export class Tunnel {
  readonly #webSocket: WebSocket;
  readonly #request: ProxyRequest;
  readonly #onEnd: (end: TunnelEnd) => void;
  readonly #abort = new AbortController();
  readonly #buffer = Buffer.allocUnsafeSlow(headroomBytes + chunkBytes);
  #socket: Socket | undefined;
  /** bytes read before the client is ready for them */
  #held = 0;
  #flowing = false;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #clientEnded = false;
  #targetEnded = false;

  /** `onEnd` is called once; the tunnel has let go of everything then. */
  constructor(webSocket: WebSocket, request: ProxyRequest, onEnd: (end: TunnelEnd) => void) {
    this.#webSocket = webSocket;
    this.#request = request;
    this.#onEnd = onEnd;
  }

  /** Connects and tells the client how that went. */
  async open(): Promise<void> {
    const { host, port, halfClose } = this.#request;
    const target = formatTarget(host, port);
    this.#webSocket.pause();
    try {
      const onread = { buffer: this.#buffer.subarray(headroomBytes), callback: this.#onRead };
      this.#take(await connectTo({ host, port, onread, signal: this.#abort.signal }));
      this.#answer({ status: 'connected', target, ...(halfClose ? { half_close: true } : {}) });
      this.#timer = setTimeout(() => this.#flow(), pauseMs);
    } catch (error) {
      const reason = describeConnectFailure(error);
      if (isRefused(error)) this.#answer({ status: 'refused', target, error: `${target}: ${reason}` });
      else this.#answer({ status: 'error', error: `${target}: ${reason}` });
      this.#finish({ type: 'failed', reason });
    } finally {
      this.#webSocket.resume();
    }
  }

  /** Takes bytes of the client. */
  takeBinary(piece: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined || this.#clientEnded || piece.length === 0) return;
    // A client that talks has heard the answer.
    this.#flow();
    if (!socket.write(piece)) this.#webSocket.pause();
  }

  takeText(text: string): void {
    if (!this.#request.halfClose || this.#socket === undefined || !isEndMessage(text)) return;
    this.#clientEnded = true;
    this.#flow();
    this.#socket.end();
    this.#finishIfDone();
  }

  /** What was sent to the client has left. */
  sent(): void {
    if (this.#flowing) this.#socket?.resume();
  }

  /** The client is gone. */
  leave(): void {
    this.#finish({ type: 'closed' });
  }

  #answer(answer: ProxyAnswer): void {
    if (!this.#ended) this.#webSocket.sendJson(answer);
  }

  #take(socket: Socket): void {
    this.#socket = socket;
    socket.on('drain', () => this.#webSocket.resume());
    socket.on('end', () => this.#endOfTarget());
    socket.on('error', (error) => this.#finish({ type: 'failed', reason: describeConnectFailure(error) }));
    socket.on('close', () => this.#finish({ type: 'closed' }));
    if (this.#ended) socket.destroy();
  }

  readonly #onRead = (byteCount: number): boolean => {
    if (!this.#flowing) {
      this.#held = byteCount;
      return false;
    }
    return this.#webSocket.sendInPlace(this.#buffer, headroomBytes, headroomBytes + byteCount);
  };

  #flow(): void {
    if (this.#flowing || this.#ended) return;
    this.#flowing = true;
    clearTimeout(this.#timer);
    const count = this.#held;
    const isSent =
      count === 0 || this.#webSocket.sendInPlace(this.#buffer, headroomBytes, headroomBytes + count);
    if (isSent) this.#socket?.resume();
    this.#endOfTarget(this.#targetEnded);
  }

  #endOfTarget(known = true): void {
    if (!known) return;
    this.#targetEnded = true;
    if (!this.#flowing) return;
    if (this.#request.halfClose) this.#webSocket.sendText(endMessage);
    else this.#clientEnded = true;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#clientEnded && this.#targetEnded) this.#finish({ type: 'closed' });
  }

  #finish(end: TunnelEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    // What the client sent last still goes out.
    if (this.#socket?.writable === true) this.#socket.destroySoon();
    else this.#socket?.destroy();
    this.#onEnd(end);
  }
}

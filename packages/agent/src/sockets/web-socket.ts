import type { Duplex } from 'node:stream';
import { type CloseReason, FrameParser } from './frame-parser.ts';

/** Bytes a frame's header may take; a buffer for `sendInPlace` has as many free before its payload. */
const largestHeaderBytes = 4;
const closeGraceMs = 5000;
const keepAliveMs = 15_000;

const opcodes = { text: 1, binary: 2, close: 8, pong: 10 } as const;

/** Who gets what a client sends; see `FrameHandler` for the pieces of binary messages. */
export type WebSocketOwner = {
  onBinary(piece: Buffer, first: boolean, last: boolean): void;
  onText(text: string): void;
  /** everything sent so far has left; only called after `sendInPlace` said no */
  onSent(): void;
  /** the connection is over, whoever ended it; called once */
  onClosed(): void;
};

/**
 * The server's side of a WebSocket, after the handshake. It answers pings and closes, never expects pongs (some
 * clients send none), and sends an empty binary message every 15 s, which is what clients take as a sign of life.
 */
export class WebSocket {
  readonly #socket: Duplex;
  readonly #owner: WebSocketOwner;
  readonly #keepAlive: NodeJS.Timeout;
  #graceTimer: NodeJS.Timeout | undefined;
  #waiting = false;
  #closing = false;
  #closed = false;

  constructor(socket: Duplex, owner: WebSocketOwner, largestTextBytes: number) {
    this.#socket = socket;
    this.#owner = owner;
    const parser = new FrameParser(
      {
        onBinary: (piece, first, last) => this.#closing || owner.onBinary(piece, first, last),
        onText: (text) => this.#closing || owner.onText(text),
        onPing: (payload) => this.#send(opcodes.pong, payload),
        onClose: (reason) => this.#answerClose(reason),
      },
      largestTextBytes,
    );
    this.#keepAlive = setInterval(() => this.#sendKeepAlive(), keepAliveMs);
    socket.on('data', (chunk: Buffer) => parser.push(chunk));
    socket.on('end', () => this.#end());
    socket.on('error', () => this.#end());
    socket.on('close', () => {
      clearTimeout(this.#graceTimer);
      this.#end();
    });
  }

  /** Sends a text message. */
  sendText(text: string): void {
    this.#send(opcodes.text, Buffer.from(text));
  }

  /** Sends a short binary message. */
  sendBinary(payload: Uint8Array): void {
    this.#send(opcodes.binary, payload);
  }

  /** Sends a JSON object as text. */
  sendJson(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  /**
   * Sends bytes `start` to `end` of `buffer`, at most 65535, as a binary message, writing the header right
   * before them instead of copying. False = not all has left: the buffer must stay as it is until `onSent`.
   */
  sendInPlace(buffer: Buffer, start: number, end: number): boolean {
    if (this.#closing) return true;
    const at = start - headerBytes(end - start);
    writeHeader(buffer, at, opcodes.binary, end - start);
    this.#socket.write(buffer.subarray(at, end), this.#onWritten);
    this.#waiting = this.#socket.writableLength > 0;
    return !this.#waiting;
  }

  /** Writes several messages with one system call. */
  together(send: () => void): void {
    this.#socket.cork();
    send();
    this.#socket.uncork();
  }

  /** Stops reading from the client, and goes on again. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says goodbye after what was sent; a client that does not answer within 5 s is cut off. */
  close(code: number, text = ''): void {
    if (this.#closing) return;
    const reason = Buffer.from(text).subarray(0, 120);
    const payload = Buffer.alloc(2 + reason.length);
    payload.writeUInt16BE(code);
    reason.copy(payload, 2);
    this.#send(opcodes.close, payload);
    this.#closing = true;
    clearInterval(this.#keepAlive);
    this.#socket.resume();
    this.#graceTimer = setTimeout(() => this.#socket.destroy(), closeGraceMs).unref();
  }

  readonly #onWritten = (): void => {
    if (!this.#waiting || this.#socket.writableLength > 0) return;
    this.#waiting = false;
    this.#owner.onSent();
  };

  #send(opcode: number, payload: Uint8Array): void {
    if (this.#closing || this.#closed) return;
    const frame = Buffer.allocUnsafe(largestHeaderBytes + payload.length);
    const at = largestHeaderBytes - headerBytes(payload.length);
    writeHeader(frame, at, opcode, payload.length);
    frame.set(payload, largestHeaderBytes);
    this.#socket.write(frame.subarray(at));
  }

  #sendKeepAlive(): void {
    if (this.#socket.writableLength === 0) this.sendBinary(Buffer.alloc(0));
  }

  #answerClose({ code, text }: CloseReason): void {
    if (this.#closing) {
      this.#socket.end();
      return;
    }
    this.close(code >= 1000 && code <= 4999 && code !== 1005 && code !== 1006 ? code : 1002, text);
    this.#socket.end();
    this.#end();
  }

  /** The owner hears of the end at once; the connection itself may need a moment to go. */
  #end(): void {
    clearInterval(this.#keepAlive);
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#socket.writableEnded) this.#socket.end();
    this.#owner.onClosed();
  }
}

function headerBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : largestHeaderBytes;
}

function writeHeader(target: Buffer, at: number, opcode: number, payloadBytes: number): void {
  target[at] = 0x80 | opcode;
  if (payloadBytes < 126) {
    target[at + 1] = payloadBytes;
    return;
  }
  target[at + 1] = 126;
  target.writeUInt16BE(payloadBytes, at + 2);
}

import type { Duplex } from 'node:stream';
import { type BodyReader, createBodyReader } from './http1/body.ts';
import {
  type Framing,
  frameRequest,
  HttpSyntaxError,
  listOf,
  parseRequestHead,
  type RequestHead,
} from './http1/head.ts';
import { HeadBuffer } from './http1/head-buffer.ts';
import { type Refusal, writeRefusal } from './pages.ts';
import type { ClientFacts } from './rewrite.ts';
import { Visit, type VisitDeps, type VisitEnd } from './visit.ts';

/** Longest head of a request to a sprite, in bytes. */
const mostHeadBytes = 64 * 1024;
/** How long a request's head may take to come, in `ms`. */
const headMs = 30_000;
/** How long a connection is kept without a request, in `ms`. */
const keepAliveMs = 75_000;
/** How long a client that was answered may go on sending, in `ms`. */
const lingerMs = 5000;
/** How long a client may neither send what it has announced nor read what it has asked for, in `ms`. */
const stallMs = 120_000;

export type ClientConnectionDeps = VisitDeps & {
  /** the label of a sprite's host, undefined for the API's */
  readonly labelOf: (host: string) => string | undefined;
  /** takes a connection whose next request is for the API; `bytes` are what came of it */
  readonly handOver: (bytes: Buffer) => void;
  /** true when a head that is longer than a sprite's may be is handed over as well: the API takes longer ones */
  readonly handsOverLongHeads: boolean;
  /** who the client of a request is */
  readonly clientOf: (head: RequestHead) => ClientFacts;
};

/** A client's connection, for as long as its requests are for sprites. */
export class ClientConnection {
  readonly #deps: ClientConnectionDeps;
  readonly #socket: Duplex;
  readonly #head = new HeadBuffer(mostHeadBytes);
  #visit: Visit | undefined;
  #body: BodyReader | undefined;
  /** bytes behind the request that is being answered */
  #pending: Buffer | undefined;
  #deadlineMs: number;
  #handedOver = false;
  #isEnding = false;
  /** true when the client sends no more */
  #hasEnded = false;
  readonly #onData = (bytes: Buffer): void => this.#feed(bytes);
  readonly #onDrain = (): void => this.#visit?.resume();
  readonly #onClose = (): void => this.#visit?.leave();
  readonly #onEnd = (): void => this.#end();
  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  constructor(socket: Duplex, deps: ClientConnectionDeps) {
    this.#deps = deps;
    this.#socket = socket;
    this.#deadlineMs = deps.tick.nowMs + headMs;
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** Takes what has been read of the connection already. */
  begin(bytes: Buffer): void {
    this.#feed(bytes);
  }

  /** Ends the connection once its present request is answered. */
  close(): void {
    if (this.isOver) return;
    if (this.#visit === undefined) this.#endSoon();
    else this.#visit.makeLast();
  }

  destroy(): void {
    if (!this.#handedOver) this.#socket.destroy();
  }

  /** True when this connection is no longer ours to look after. */
  get isOver(): boolean {
    return this.#handedOver || this.#socket.destroyed;
  }

  /** Ends the connection when the client holds it up; to be called from time to time. */
  sweep(nowMs: number): void {
    if (this.isOver) return;
    const visit = this.#visit;
    visit?.sweep(nowMs);
    if (nowMs < this.#deadlineMs) return;
    if (this.#isEnding) {
      this.#socket.destroy();
      return;
    }
    if (visit === undefined) {
      if (this.#head.isEmpty) this.#endSoon();
      else
        this.#refuse({ status: 408, code: 'request_timeout', message: 'the request did not come in time' });
      return;
    }
    const stalls = visit.isReceiving || this.#socket.writableNeedDrain;
    if (stalls) this.#socket.destroy();
    else this.#deadlineMs = nowMs + stallMs;
  }

  #feed(bytes: Buffer): void {
    let rest = bytes;
    try {
      while (rest.length > 0 && !this.isOver && !this.#isEnding) {
        if (this.#visit === undefined) {
          const whole = this.#head.add(rest);
          if (whole === undefined) return;
          rest = this.#take(whole.text, whole.rest);
        } else rest = this.#forward(this.#visit, rest);
      }
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.#malformed(error, rest);
    }
  }

  /** Begins to answer a request; answers the bytes behind its head that are still to be looked at. */
  #take(text: string, rest: Buffer): Buffer {
    const head = parseRequestHead(text);
    const label = this.#deps.labelOf(head.host);
    if (label === undefined) {
      this.#handOver(Buffer.concat([Buffer.from(`${text}\r\n\r\n`, 'latin1'), rest]));
      return Buffer.alloc(0);
    }
    const framing = frameRequest(head);
    this.#body = createBodyReader(framing);
    this.#deadlineMs = this.#deps.tick.nowMs + stallMs;
    const visit = new Visit(
      {
        socket: this.#socket,
        head,
        label,
        framing,
        client: this.#deps.clientOf(head),
        isLast: isLastRequest(head),
        isWebSocket: isWebSocket(head, framing),
        onEnd: (end) => this.#visited(end),
      },
      this.#deps,
    );
    this.#visit = visit;
    if (this.#body.isDone) visit.endBody();
    visit.start();
    return rest;
  }

  #forward(visit: Visit, bytes: Buffer): Buffer {
    const body = this.#body;
    if (body === undefined || body.isDone) {
      // a client that sends more before it has its answer waits for it
      this.#pending = this.#pending === undefined ? bytes : Buffer.concat([this.#pending, bytes]);
      this.#socket.pause();
      return Buffer.alloc(0);
    }
    this.#deadlineMs = this.#deps.tick.nowMs + stallMs;
    const end = body.read(bytes, 0);
    if (end > 0) visit.send(bytes.subarray(0, end));
    if (body.isDone) visit.endBody();
    return bytes.subarray(end);
  }

  #visited(end: VisitEnd): void {
    // a request that turned out to be malformed is answered already
    if (this.#visit === undefined) return;
    const isWhole = this.#body?.isDone === true;
    this.#visit = undefined;
    this.#body = undefined;
    if (end === 'tunnel') {
      this.#letGo();
      return;
    }
    if (end === 'cut') {
      this.#socket.destroy();
      return;
    }
    if (end === 'last' || !isWhole) {
      // the rest of a body nobody wants would pass for the next request
      this.#endSoon();
      return;
    }
    this.#deadlineMs = this.#deps.tick.nowMs + keepAliveMs;
    const pending = this.#pending;
    this.#pending = undefined;
    this.#socket.resume();
    if (pending !== undefined) this.#feed(pending);
    if (this.#hasEnded && this.#visit === undefined && !this.isOver) this.#endSoon();
  }

  #end(): void {
    this.#hasEnded = true;
    if (this.#visit === undefined) this.#endSoon();
    else if (this.#body?.isDone !== true) this.#visit.leave();
  }

  #malformed(error: HttpSyntaxError, rest: Buffer): void {
    const isLong = error.status === 431 && this.#visit === undefined;
    if (isLong && this.#deps.handsOverLongHeads) {
      this.#handOver(Buffer.concat([this.#head.take(), rest]));
      return;
    }
    if (this.#visit?.isAnswering === true) {
      this.#socket.destroy();
      return;
    }
    const visit = this.#visit;
    this.#visit = undefined;
    visit?.leave();
    this.#refuse({ status: error.status, code: 'invalid_request', message: error.message });
  }

  #refuse(refusal: Refusal): void {
    this.#socket.write(writeRefusal(refusal, undefined, true));
    this.#endSoon();
  }

  /** What a client still sends is read and thrown away for a moment: to close at once could lose it the answer. */
  #endSoon(): void {
    this.#isEnding = true;
    this.#deadlineMs = this.#deps.tick.nowMs + lingerMs;
    this.#socket.end();
    this.#socket.resume();
  }

  #handOver(bytes: Buffer): void {
    this.#letGo();
    this.#deps.handOver(bytes);
  }

  #letGo(): void {
    this.#handedOver = true;
    this.#socket.off('data', this.#onData);
    this.#socket.off('drain', this.#onDrain);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onClose);
    this.#socket.off('error', this.#onError);
  }
}

function isLastRequest(head: RequestHead): boolean {
  return head.minor === 0 || listOf(head.fields, 'connection').includes('close');
}

/** Of all protocols one can change to, only WebSocket is passed on: it begins with no body, so nothing can hide in one. */
function isWebSocket(head: RequestHead, framing: Framing): boolean {
  return (
    head.method === 'GET' &&
    head.minor === 1 &&
    framing.type === 'none' &&
    listOf(head.fields, 'connection').includes('upgrade') &&
    listOf(head.fields, 'upgrade').includes('websocket')
  );
}

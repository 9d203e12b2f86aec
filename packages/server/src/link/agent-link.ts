import type { Duplex } from 'node:stream';
import { type ErrorBody, renderError } from '@sprites/contract';
import {
  type Activity,
  type HostMessage,
  type InsideRequest,
  largestLinkMessageBytes,
  mostInsideRequests,
  parseGuestMessage,
} from '@sprites/contract/link';
import { WebSocket } from 'ws';
import type { AnswerSink } from './ask-server.ts';

/** How long an agent may take to answer the handshake, in `ms`. */
const handshakeTimeoutMs = 10_000;
/** Largest piece of an answer in one message, in characters; escaped it still fits a frame. */
const pieceLength = 8 * 1024;
/** Bytes on their way to an agent beyond which an answer waits. */
const mostWaitingBytes = 256 * 1024;

export type AgentLinkOptions = {
  /** an unused stream to the agent */
  readonly stream: Duplex;
  readonly onActivity: (activity: Activity) => void;
  /** answers a request of a program inside; resolves at the end of the answer */
  readonly answer: (request: InsideRequest, sink: AnswerSink, signal: AbortSignal) => Promise<void>;
};

/** One link: what the agent tells of its sprite, and the requests from inside. */
export class AgentLink {
  /** resolves when the link is over; never rejects */
  readonly closed: Promise<void>;
  readonly #options: AgentLinkOptions;
  readonly #socket: WebSocket;
  readonly #open = new Map<number, AbortController>();

  constructor(options: AgentLinkOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#socket = new WebSocket('ws://sprite/v1/link', {
      createConnection: () => options.stream,
      perMessageDeflate: false,
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: largestLinkMessageBytes,
    });
    // what is wrong with the connection ends it, which is told below
    this.#socket.on('error', () => {});
    this.#socket.on('message', (data, isBinary) => {
      if (!isBinary && Buffer.isBuffer(data)) this.#hear(data.toString('utf8'));
    });
    this.#socket.on('close', () => {
      for (const request of this.#open.values()) request.abort(new Error('the link is over'));
      options.stream.destroy();
      resolve();
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #hear(text: string): void {
    const message = parseGuestMessage(text);
    switch (message?.type) {
      case 'activity':
        this.#options.onActivity(message.activity);
        return;
      case 'request':
        void this.#answer(message.request);
        return;
      case 'cancel':
        this.#open.get(message.id)?.abort(new Error('the program inside has left'));
        return;
      default:
        // an agent of another version may say more; a hostile one anything
        return;
    }
  }

  async #answer(request: InsideRequest): Promise<void> {
    const { id } = request;
    if (this.#open.has(id) || this.#open.size >= mostInsideRequests) {
      this.#send({ type: 'fail', id });
      return;
    }
    const leaving = new AbortController();
    this.#open.set(id, leaving);
    let begun = false;
    const sink: AnswerSink = {
      head: (status, contentType) => {
        begun = true;
        this.#send({ type: 'head', id, status, contentType });
      },
      data: (text) => this.#sendText(id, text),
    };
    try {
      await this.#options.answer(request, sink, leaving.signal);
      this.#send({ type: 'end', id });
    } catch (error) {
      if (begun) this.#send({ type: 'fail', id });
      else this.#sendError(id, renderError(error));
    } finally {
      this.#open.delete(id);
    }
  }

  #sendError(id: number, { status, body }: { readonly status: number; readonly body: ErrorBody }): void {
    this.#send({ type: 'head', id, status, contentType: 'application/json' });
    this.#send({ type: 'data', id, text: JSON.stringify(body).slice(0, pieceLength) });
    this.#send({ type: 'end', id });
  }

  async #sendText(id: number, text: string): Promise<void> {
    for (let at = 0; at < text.length; at += pieceLength) {
      this.#send({ type: 'data', id, text: text.slice(at, at + pieceLength) });
      if (this.#socket.bufferedAmount > mostWaitingBytes) await this.#drained();
    }
  }

  /** A frozen sprite reads nothing: then this waits, and with it whoever makes the answer. */
  async #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { stream } = this.#options;
    stream.once('drain', resolve);
    stream.once('close', resolve);
    await promise;
    stream.off('drain', resolve);
    stream.off('close', resolve);
  }

  #send(message: HostMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
